/**
 * What the text of one statement says about it, read in one pass over its tokens; refuses what is refused by name.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { ForbiddenNames } from './forbidden-names.js';
import type { GateLimits } from './gate-limits.js';
import { ParameterNumbering } from './parameter-numbering.js';
import { TokenCursor, type TokenKind } from './tokenizer.js';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Quotes removed, in lower case. */
  readonly name: string;
}

export interface StatementFacts {
  readonly isExplain: boolean;
  /** The statement without EXPLAIN [QUERY PLAN]. */
  readonly explained: string;
  /** The first tokens after EXPLAIN [QUERY PLAN], at most `headLength` of them. */
  readonly head: readonly Token[];
  /** True when `head` holds the whole statement. */
  readonly headIsWhole: boolean;
  readonly parameters: readonly (string | null)[];
  /**
   * A string literal that spells a forbidden name. SQLite takes strings as table names, so this matters in a statement that
   * opens a virtual table; elsewhere it is data.
   */
  readonly suspectString: string | undefined;
  /** Names of `notableNames` that stand anywhere in the statement. */
  readonly notable: ReadonlySet<string>;
}

/** Enough for every form whose tokens are looked at one by one: PRAGMA, BEGIN, CREATE VIRTUAL TABLE … USING. */
const headLength = 16;
/** Names after which the gate looks closer at a statement. */
const notableNames = new Set(['compress', 'uncompress', 'libsql_vector_idx', 'temp', 'temporary']);
/** After these a string literal is a table name. */
const beforeTableName = new Set([
  ...['from', 'join', 'into', 'update', 'using', 'table', 'in'],
  ...['abort', 'fail', 'ignore', 'replace', 'rollback'],
]);
/** A name after one of these is a table's, even when a parenthesis follows it. */
const beforeNewTable = new Set(['into', 'table', 'exists', 'references']);
const compoundOperators = new Set(['union', 'intersect', 'except']);
/** No name that the gate knows is longer; longer tokens need no look-up. */
const longestKnownName = 64;
/** Of a token that nobody knows so much is told. */
const longestToldToken = 32;

/**
 * Reads one statement. Throws `SQL_REFUSED` for a forbidden function or table, `SQL_INPUT_ERROR` for a statement beyond the
 * limits, `SQL_PARSE_ERROR` for what is no token.
 */
export function readFacts(sql: string, forbidden: ForbiddenNames, limits: GateLimits): StatementFacts {
  const cursor = new TokenCursor(sql);
  const numbering = new ParameterNumbering(limits.maxParameters);
  const head: Token[] = [];
  let position = 0;
  let explainedFrom = 0;
  let headIsWhole = true;
  let isExplain = false;
  let depth = 0;
  let compoundArms = 0;
  let suspectString: string | undefined;
  const notable = new Set<string>();
  let previousName = '';
  let previousIsTable = false;
  let afterDot = false;

  while (cursor.next()) {
    // What is no token here must be none for the engine either: else something could stand between a name and what it is of.
    if (cursor.kind === 'illegal') {
      throw new ByocError('SQL_PARSE_ERROR', `unrecognized token: "${cursor.text().slice(0, longestToldToken)}"`);
    }
    let name = '';
    if (cursor.kind === 'operator') {
      if (cursor.isOperator('(')) {
        depth += 1;
        if (depth > limits.maxDepth) {
          throw new ByocError('SQL_INPUT_ERROR', `the statement nests deeper than ${limits.maxDepth} parentheses`);
        }
        if (!previousIsTable && forbidden.isForbiddenFunction(previousName)) {
          throw new ByocError('SQL_REFUSED', `the function ${previousName}() is not offered`);
        }
      } else if (cursor.isOperator(')')) depth -= 1;
    } else if (cursor.kind === 'parameter') numbering.add(cursor.text());
    else if (isNameLike(cursor.kind) && cursor.end - cursor.start <= longestKnownName) {
      name = cursor.name();
      if (forbidden.isForbiddenName(name)) {
        if (cursor.kind !== 'string' || afterDot || beforeTableName.has(previousName)) {
          throw new ByocError('SQL_REFUSED', `the table "${name}" is not offered`);
        }
        suspectString = name;
      }
      if (notableNames.has(name)) notable.add(name);
      if (cursor.kind === 'word' && compoundOperators.has(name)) {
        compoundArms += 1;
        if (compoundArms > limits.maxCompoundArms) {
          throw new ByocError('SQL_INPUT_ERROR', `the statement has more than ${limits.maxCompoundArms} compound arms`);
        }
      }
    }
    previousIsTable = beforeNewTable.has(previousName);
    previousName = cursor.kind === 'string' ? '' : name;
    afterDot = cursor.isOperator('.');

    if (head.length === 0 && isExplainWord(cursor, name, position, isExplain)) isExplain = true;
    else if (head.length < headLength) {
      if (head.length === 0) explainedFrom = cursor.start;
      head.push({ kind: cursor.kind, text: cursor.text(), name });
    } else headIsWhole = false;
    position += 1;
  }
  return {
    isExplain,
    explained: sql.slice(explainedFrom),
    head,
    headIsWhole,
    parameters: numbering.list(),
    suspectString,
    notable,
  };
}

function isNameLike(kind: TokenKind): boolean {
  return kind === 'word' || kind === 'quoted' || kind === 'string';
}

/** True for the words of the prefix EXPLAIN or EXPLAIN QUERY PLAN. */
function isExplainWord(cursor: TokenCursor, name: string, position: number, isExplain: boolean): boolean {
  if (cursor.kind !== 'word') return false;
  if (position === 0) return name === 'explain';
  return isExplain && ((position === 1 && name === 'query') || (position === 2 && name === 'plan'));
}
