import { TokenCursor } from './tokenizer.js';

/** Where one statement stands in a text: from its first token to the end of its last, without the semicolon. */
export interface StatementRange {
  readonly start: number;
  readonly end: number;
}

/** What the words read so far say about the statement: still open, a trigger (whose body holds semicolons), or anything else. */
type Head = 'start' | 'explain' | 'create' | 'trigger' | 'other';

/**
 * Yields the statements of a text in order, lazily; empty ones and comments are left out.
 *
 * A semicolon ends a statement, except inside CREATE TRIGGER, which ends at `; END` followed by a semicolon or the end of
 * the text. No command of a trigger body can begin with END, so this is exact and needs no parser: CASE … END never
 * follows a semicolon.
 */
export function* statementRanges(sql: string): Generator<StatementRange> {
  const cursor = new TokenCursor(sql);
  let start = -1;
  let end = 0;
  let head: Head = 'start';
  let afterSemicolon = false;
  let triggerEnded = false;
  while (cursor.next()) {
    const isSemicolon = cursor.isOperator(';');
    if (isSemicolon && (head !== 'trigger' || triggerEnded)) {
      if (start !== -1) yield { start, end };
      start = -1;
      head = 'start';
      afterSemicolon = false;
      triggerEnded = false;
      continue;
    }
    if (start === -1) start = cursor.start;
    end = cursor.end;
    if (head === 'trigger') {
      triggerEnded = afterSemicolon && isWord(cursor, 'end');
      afterSemicolon = isSemicolon;
    } else if (head !== 'other') head = nextHead(head, cursor);
  }
  if (start !== -1) yield { start, end };
}

/**
 * The statements of a text, without semicolons, surrounding white space and comments, found as they are asked for. Linear
 * in the length of the text.
 */
export function* splitStatements(sql: string): Generator<string> {
  for (const { start, end } of statementRanges(sql)) yield sql.slice(start, end);
}

function nextHead(head: Head, cursor: TokenCursor): Head {
  if (cursor.kind !== 'word') return 'other';
  const word = cursor.name();
  if (head === 'start' && word === 'explain') return 'explain';
  if (head === 'explain' && (word === 'query' || word === 'plan')) return 'explain';
  if ((head === 'start' || head === 'explain') && word === 'create') return 'create';
  if (head === 'create' && (word === 'temp' || word === 'temporary')) return 'create';
  if (head === 'create' && word === 'trigger') return 'trigger';
  return 'other';
}

function isWord(cursor: TokenCursor, word: string): boolean {
  return cursor.kind === 'word' && cursor.end - cursor.start === word.length && cursor.name() === word;
}
