import { ByocError } from '../../errors/catalogue.js';
import { allowedModules } from './allowed-modules.js';
import type { StatementFacts, Token } from './statement-facts.js';

/** libSQL pastes the name of a vector index into SQL of its own without quoting it, so it must be a plain identifier. */
const plainIdentifier = /^[a-z_][a-z0-9_]*$/iu;

/** Refuses the CREATE statements that would reach beyond the database. `facts` are those of a CREATE statement. */
export function checkCreate(facts: StatementFacts): void {
  const words = keywords(facts);
  const kind = words.slice(1).find((word) => !['or', 'replace', 'temp', 'temporary', 'unique'].includes(word));
  if (kind === 'function') throw new ByocError('SQL_REFUSED', 'CREATE FUNCTION is not offered');
  if (kind === 'virtual') {
    const module = virtualTableModule(facts);
    if (module === undefined) throw new ByocError('SQL_PARSE_ERROR', 'incomplete input');
    if (!allowedModules.has(module.name)) {
      throw new ByocError('SQL_REFUSED', `the virtual table module "${module.name}" is not offered`);
    }
  }
  checkNestedSql(facts);
}

/**
 * Refuses what makes the engine build SQL from the tenant's words and run it with full rights, unseen by the compiler:
 * functions named in FTS4's `compress=` and `uncompress=`, and libSQL vector indexes whose name is not an identifier.
 * Throws `SQL_REFUSED`.
 */
export function checkNestedSql(facts: StatementFacts): void {
  const words = keywords(facts);
  if (words.includes('virtual') && (facts.notable.has('compress') || facts.notable.has('uncompress'))) {
    throw new ByocError(
      'SQL_REFUSED',
      'the options compress= and uncompress= of FTS4 are not offered: they call functions',
    );
  }
  if (words.includes('index') && facts.notable.has('libsql_vector_idx')) {
    const name = indexName(facts);
    if (name === undefined || !plainIdentifier.test(name.name)) {
      throw new ByocError('SQL_REFUSED', 'the name of a vector index may hold letters, digits and underscores only');
    }
  }
}

/** CREATE VIRTUAL TABLE [IF NOT EXISTS] [schema .] name USING module */
function virtualTableModule(facts: StatementFacts): Token | undefined {
  const using = keywords(facts).indexOf('using');
  return using === -1 ? undefined : facts.head[using + 1];
}

/** CREATE [UNIQUE] INDEX [IF NOT EXISTS] [schema .] name ON */
function indexName(facts: StatementFacts): Token | undefined {
  const words = keywords(facts);
  let at = words.indexOf('index') + 1;
  if (words[at] === 'if' && words[at + 1] === 'not' && words[at + 2] === 'exists') at += 3;
  if (facts.head[at + 1]?.text === '.') at += 2;
  return words[at + 1] === 'on' ? facts.head[at] : undefined;
}

/** The head as bare words in lower case; empty for everything that is not one. */
function keywords(facts: StatementFacts): string[] {
  return facts.head.map((token) => (token.kind === 'word' ? token.name : ''));
}
