/**
 * The gate's second look at a statement for libSQL, and its look at a schema that comes from elsewhere.
 *
 * The program that EXPLAIN shows cannot be read: a blob in it, of the statement or of a view or column default, comes back as
 * text that is not UTF-8, and at that the binding aborts the process. Neither can the engine be trusted to keep dangerous
 * functions out of schemas: libSQL runs `writefile()` from a CHECK constraint, although the function is marked direct-only and
 * `trusted_schema` is off. So the schema is read when a database is opened, and refused whole when it names what a statement
 * could not name. Later its changes come through this gate. Statements are compiled for their errors.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { EngineConnection } from '../adapters/adapter.js';
import { mainVerb } from './main-verb.js';
import type { CompiledFacts } from './compiled-facts.js';
import type { ForbiddenNames } from './forbidden-names.js';
import type { GateLimits } from './gate-limits.js';
import { checkNestedSql } from './create-checks.js';
import { readFacts, type StatementFacts } from './statement-facts.js';

const schemaVerbs = new Set(['create', 'drop', 'alter', 'analyze']);

/**
 * Compiles the statement and says what it does. SQLite's grammar has no SELECT that changes anything, so the words decide.
 * Throws `SQL_REFUSED`, or the `EngineError` of the failed compilation.
 */
export function compileForLibsql(connection: EngineConnection, verb: string, facts: StatementFacts): CompiledFacts {
  const isCompiled = !takesEffectWhenCompiled(verb, facts);
  if (isCompiled) connection.prepare(facts.explained);
  const effective = verb === 'with' ? mainVerb(facts.explained) : verb;
  return {
    writes: effective !== 'select' && effective !== 'values',
    changesSchema: schemaVerbs.has(verb),
    changesTemporarySchema: schemaVerbs.has(verb) && (facts.notable.has('temp') || facts.notable.has('temporary')),
    usesVirtualTable:
      facts.suspectString !== undefined && (!isCompiled || opensVirtualTable(connection, facts.explained)),
  };
}

/**
 * Whether compiling alone already changes the database: libSQL makes the tables of a vector index, and removes them, while it
 * compiles CREATE INDEX and DROP, under EXPLAIN too; and an index whose CREATE was compiled twice stays empty. Such a statement
 * is compiled once, when it runs, under the write lock.
 */
export function takesEffectWhenCompiled(verb: string, facts: StatementFacts): boolean {
  return verb === 'drop' || (verb === 'create' && facts.notable.has('libsql_vector_idx'));
}

/** Words that need a closer look beside the forbidden names. */
const remarkable = /virtual|libsql_vector_idx/iu;

/**
 * Reads the whole schema for what no statement could have put there: calls of forbidden functions, virtual tables of forbidden
 * modules, and what makes the engine run SQL of its own (see `checkNestedSql`). Throws `SQL_REFUSED` for the first.
 */
export function inspectSchema(connection: EngineConnection, forbidden: ForbiddenNames, limits: GateLimits): void {
  // The engine takes a blob for text here, so that a file could hold its schema as blobs.
  for (const [sql] of connection.prepare('SELECT CAST(sql AS TEXT) FROM sqlite_schema').rows([])) {
    if (typeof sql !== 'string' || !(remarkable.test(sql) || forbidden.mayStandIn(sql))) continue;
    try {
      const facts = readFacts(sql, forbidden, limits);
      if (facts.suspectString !== undefined) {
        throw new ByocError('SQL_REFUSED', `the table "${facts.suspectString}" is not offered`);
      }
      checkNestedSql(facts);
    } catch (error) {
      if (!(error instanceof ByocError)) throw error;
      throw new ByocError('SQL_REFUSED', `the schema of this database is refused: ${error.message}`, { cause: error });
    }
  }
}

/** The query plan names tables only, so that it is always text. */
function opensVirtualTable(connection: EngineConnection, sql: string): boolean {
  for (const row of connection.prepare(`EXPLAIN QUERY PLAN ${sql}`).rows([])) {
    if (String(row[3]).includes('VIRTUAL TABLE')) return true;
  }
  return false;
}
