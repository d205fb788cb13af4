import { ByocError } from '../../errors/catalogue.js';
import type { StatementPlan } from './statement-plan.js';
import type { StatementFacts } from './statement-facts.js';

const beginModes: Record<string, 'begin' | 'begin-write' | 'begin-readonly'> = {
  deferred: 'begin',
  immediate: 'begin-write',
  exclusive: 'begin-write',
  readonly: 'begin-readonly',
};

/**
 * What the statement does to the transaction, from its words alone; null when it is not transaction control or is not
 * well-formed, in which case the engine's own compiler has the word. Throws `SQL_REFUSED` for BEGIN CONCURRENT.
 *
 * libSQL's additions are included: `BEGIN [TRANSACTION] READONLY`.
 */
export function transactionControl(facts: StatementFacts): StatementPlan['transactionControl'] {
  const [first, ...rest] = facts.head;
  if (first?.kind !== 'word' || !facts.headIsWhole) return null;
  switch (first.name) {
    case 'begin':
      return begin(rest.map((token) => (token.kind === 'word' ? token.name : '')));
    case 'commit':
    case 'end':
      return isTransactionTail(rest) ? 'commit' : null;
    case 'rollback':
      return rollback(rest);
    case 'savepoint':
      return rest.length === 1 && isName(rest[0]) ? 'savepoint' : null;
    case 'release': {
      const names = isWord(rest[0], 'savepoint') && rest.length > 1 ? rest.slice(1) : rest;
      return names.length === 1 && isName(names[0]) ? 'release' : null;
    }
    default:
      return null;
  }
}

type Tokens = StatementFacts['head'];

function begin(words: readonly string[]): StatementPlan['transactionControl'] {
  if (words[0] === 'concurrent') {
    throw new ByocError('SQL_REFUSED', 'BEGIN CONCURRENT is not offered: databases run in WAL mode with one writer');
  }
  const remaining = [...words];
  let mode: keyof typeof beginModes | undefined;
  const takeMode = (): void => {
    const word = remaining[0];
    if (mode === undefined && word !== undefined && Object.hasOwn(beginModes, word)) mode = remaining.shift();
  };
  takeMode();
  if (remaining[0] === 'transaction') remaining.shift();
  takeMode();
  if (remaining.length > 0) return null;
  return beginModes[mode ?? 'deferred'] ?? null;
}

/** COMMIT and END may be followed by TRANSACTION and a name that SQLite ignores. */
function isTransactionTail(tokens: Tokens): boolean {
  if (tokens.length === 0) return true;
  return isWord(tokens[0], 'transaction') && (tokens.length === 1 || (tokens.length === 2 && isName(tokens[1])));
}

/** ROLLBACK [TRANSACTION [name]] [TO [SAVEPOINT] name] */
function rollback(tokens: Tokens): StatementPlan['transactionControl'] {
  if (isTransactionTail(tokens)) return 'rollback';
  const to = tokens.findIndex((token) => isWord(token, 'to'));
  if (to === -1 || (to > 0 && !isTransactionTail(tokens.slice(0, to)))) return null;
  const target = tokens.slice(to + 1);
  const names = isWord(target[0], 'savepoint') && target.length > 1 ? target.slice(1) : target;
  return names.length === 1 && isName(names[0]) ? 'rollback-to' : null;
}

function isWord(token: Tokens[number] | undefined, word: string): boolean {
  return token?.kind === 'word' && token.name === word;
}

function isName(token: Tokens[number] | undefined): boolean {
  return token?.kind === 'word' || token?.kind === 'quoted' || token?.kind === 'string';
}
