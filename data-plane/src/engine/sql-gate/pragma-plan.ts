import { ByocError } from '../../errors/catalogue.js';
import type { EngineName } from '../../identity.js';
import { pragmaRule } from './pragma-rules.js';
import type { StatementFacts, Token } from './statement-facts.js';

export interface PragmaEffect {
  /** In lower case. */
  readonly name: string;
  readonly writes: boolean;
  readonly changesSchema: boolean;
  readonly changesSession: boolean;
  /** What to run in its place, when the engine's own answer must not be shown. */
  readonly substitute: string | undefined;
}

/** The engine's list of databases without the place of the files; the Turso engine has no sound PRAGMA tables. */
const databaseListWithoutFiles: Readonly<Record<EngineName, string>> = {
  libsql: "SELECT seq, name, '' AS file FROM pragma_database_list",
  tursodb: "SELECT 0 AS seq, 'main' AS name, '' AS file",
};

/**
 * Decides about one PRAGMA, from its tokens alone: compiling it could already carry it out. Throws `SQL_REFUSED`, or
 * `SQL_PARSE_ERROR` for a malformed one.
 */
export function planPragma(engine: EngineName, facts: StatementFacts): PragmaEffect {
  const { name, hasArgument } = parse(facts);
  const rule = pragmaRule(engine, name);
  if (rule === undefined) throw new ByocError('SQL_REFUSED', `PRAGMA ${name} is not offered`);
  if (hasArgument && rule.argument === 'refused') {
    throw new ByocError('SQL_REFUSED', `PRAGMA ${name} may be read but not set`);
  }
  const sets = hasArgument && rule.argument !== 'read';
  if (facts.isExplain && (sets || rule.writes === true || name === 'database_list')) {
    throw new ByocError('SQL_REFUSED', `EXPLAIN of PRAGMA ${name} is not offered: it would take effect`);
  }
  const isCapture = name.endsWith('capture_data_changes_conn');
  const writesDatabase = rule.writes === true || (sets && rule.argument === 'database');
  return {
    name,
    writes: writesDatabase,
    changesSchema: writesDatabase && (name === 'optimize' || isCapture),
    changesSession: sets && (rule.argument === 'session' || isCapture),
    substitute: name === 'database_list' ? databaseListWithoutFiles[engine] : undefined,
  };
}

/** PRAGMA [schema .] name [= value | ( value )], where a value is a name, a literal or a signed number. */
function parse({ head, headIsWhole }: StatementFacts): { name: string; hasArgument: boolean } {
  let at = 1;
  const take = (): Token | undefined => head[at++];
  const malformed = (token: Token | undefined): ByocError =>
    new ByocError('SQL_PARSE_ERROR', token === undefined ? 'incomplete input' : `near "${token.text}": syntax error`);
  const takeName = (): string => {
    const token = take();
    if (token?.kind !== 'word' && token?.kind !== 'quoted' && token?.kind !== 'string') throw malformed(token);
    return token.name;
  };

  let name = takeName();
  if (head[at]?.text === '.') {
    at += 1;
    name = takeName();
  }
  const opening = take();
  if (opening === undefined) return { name, hasArgument: false };
  if (opening.text !== '=' && opening.text !== '(') throw malformed(opening);
  const sign = head[at]?.text;
  if (sign === '-' || sign === '+') at += 1;
  const value = take();
  if (value === undefined || !['word', 'quoted', 'string', 'number', 'blob'].includes(value.kind))
    throw malformed(value);
  if (opening.text === '(') {
    const closing = take();
    if (closing?.text !== ')') throw malformed(closing);
  }
  const trailing = take();
  if (trailing !== undefined || !headIsWhole) throw malformed(trailing);
  return { name, hasArgument: true };
}
