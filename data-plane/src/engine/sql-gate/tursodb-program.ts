/**
 * What the Turso engine's own compiler says about a statement: the program that EXPLAIN shows, which also contains what
 * views, triggers, generated columns and constraints bring in and the text does not show.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { EngineConnection } from '../adapters/adapter.js';
import { isAllowedFunction, isInternalFunction } from './allowed-functions.js';
import type { CompiledFacts } from './compiled-facts.js';
import { shortenLists } from './shorten-lists.js';

/** Instructions that no tenant statement may contain, with what they stand for. */
const refusedOpcodes = new Map([
  ['Vacuum', 'VACUUM'],
  ['VacuumInto', 'VACUUM INTO'],
  ['IncrVacuum', 'incremental vacuum'],
  ['Checkpoint', 'a WAL checkpoint'],
  ['JournalMode', 'changing the journal mode'],
  ['Attach', 'ATTACH'],
  ['Detach', 'DETACH'],
]);
const functionOpcodes = new Set(['Function', 'PureFunc', 'AggStep', 'AggStep1', 'AggInverse', 'AggFinal', 'AggValue']);
const schemaOpcodes = new Set([
  'ParseSchema',
  'DropTable',
  'DropIndex',
  'DropTrigger',
  'DropView',
  'VCreate',
  'VDestroy',
]);
const virtualTableOpcodes = new Set(['VOpen', 'VFilter', 'VUpdate', 'VCreate']);
/** Statements whose programs call the engine's internal functions. */
const verbsWithInternalFunctions = new Set(['alter', 'analyze']);
/** Operand of JournalMode that only asks; CREATE … IF NOT EXISTS of something that exists compiles to it. */
const journalModeQuery = -1;
/** Cookie number of the schema version in SetCookie; the others are user_version and application_id. */
const schemaCookie = 1;
const temporaryDatabase = 1;
/** Shorter statements are not worth looking through. */
const longSqlLength = 1024;
/** Reading a program takes time that grows with the square of its length: about a second for this many instructions. */
const mostInstructions = 20_000;
/** Transaction modes of the program: 1 reads, 2 writes, 3 is BEGIN CONCURRENT. */
const writeTransaction = 2;

/**
 * Compiles the statement and reads its program. `sql` comes without EXPLAIN and must not be a PRAGMA, which would take
 * effect. Throws `SQL_REFUSED`, `SQL_INPUT_ERROR` for a program that is too long to be read, or the `EngineError` of the
 * failed compilation.
 */
export function readTursodbProgram(connection: EngineConnection, verb: string, sql: string): CompiledFacts {
  let writes = false;
  let changesSchema = false;
  let changesTemporarySchema = false;
  let usesVirtualTable = false;
  let instructions = 0;
  const explained = sql.length > longSqlLength ? shortenLists(sql) : sql;
  for (const row of connection.prepare(`EXPLAIN ${explained}`).rows([])) {
    instructions += 1;
    if (instructions > mostInstructions) {
      throw new ByocError(
        'SQL_INPUT_ERROR',
        `the statement compiles to more than ${mostInstructions} instructions; split it, or use parameters for its values`,
      );
    }
    const opcode = String(row[1]);
    const p1 = Number(row[2]);
    const p2 = Number(row[3]);
    const refused = refusedOpcodes.get(opcode);
    const onlyAsks = opcode === 'JournalMode' && Number(row[4]) === journalModeQuery;
    if (refused !== undefined && !onlyAsks) throw new ByocError('SQL_REFUSED', `${refused} is not offered`);
    if (functionOpcodes.has(opcode)) checkFunction(verb, String(row[5]));
    if (opcode === 'Transaction') writes ||= p2 >= writeTransaction;
    // The Turso engine moves a sequence in a transaction of its own, so that nextval() inside a SELECT writes.
    else if (opcode === 'OpenWrite' || opcode === 'VUpdate' || opcode === 'SequenceBeginInnerTx') writes = true;
    const touchesSchema = schemaOpcodes.has(opcode) || (opcode === 'SetCookie' && p2 === schemaCookie);
    changesSchema ||= touchesSchema;
    changesTemporarySchema ||= touchesSchema && p1 === temporaryDatabase;
    usesVirtualTable ||= virtualTableOpcodes.has(opcode);
  }
  return { writes: writes || changesSchema, changesSchema, changesTemporarySchema, usesVirtualTable };
}

/** `described` is the operand as EXPLAIN shows it: `name(argument count)`, or the bare name. */
function checkFunction(verb: string, described: string): void {
  const parenthesis = described.lastIndexOf('(');
  const name = (parenthesis > 0 ? described.slice(0, parenthesis) : described).toLowerCase();
  if (isAllowedFunction('tursodb', name)) return;
  if (verbsWithInternalFunctions.has(verb) && isInternalFunction(name)) return;
  throw new ByocError('SQL_REFUSED', `the function ${name}() is not offered, here used by a view, trigger or column`);
}
