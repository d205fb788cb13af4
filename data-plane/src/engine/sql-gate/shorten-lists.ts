/**
 * A statement with fewer elements in its long lists, for the EXPLAIN of the Turso engine, which takes time that grows with
 * the square of the program's length: 2.3 s for an IN list of 16,000.
 *
 * Left out are rows of VALUES behind the second and elements of IN lists behind the third that consist of nothing but
 * literals and parameters. Such a row or element adds no function, no table and no kind of instruction to the program, so
 * what EXPLAIN shows of the shorter statement is true of the whole one. Anything else is kept, and the whole statement is
 * compiled when it runs.
 */
import { TokenCursor } from './tokenizer.js';

const keptRows = 2;
const keptElements = 3;
const plainKinds: ReadonlySet<string> = new Set(['number', 'string', 'blob', 'parameter']);
const plainWords: ReadonlySet<string> = new Set(['null', 'true', 'false']);

interface List {
  /** What stands before it: IN, VALUES, or the comma behind another row of VALUES. */
  readonly after: 'in' | 'values' | 'row' | undefined;
  isPlain: boolean;
  elements: number;
  /** Where the first element ends that is left out, if any is. */
  cutFrom: number;
}

/** The statement, shortened where that is safe. Linear in its length. */
export function shortenLists(sql: string): string {
  const cursor = new TokenCursor(sql);
  const open: List[] = [];
  let result = '';
  let copied = 0;
  let before: List['after'];
  /** Rows of VALUES seen one behind the other, and the comma behind the last; reset by anything else. */
  let rows = 0;
  let comma = -1;
  const cut = (from: number, to: number): void => {
    result += sql.slice(copied, from);
    copied = to;
  };

  while (cursor.next()) {
    const list = open.at(-1);
    if (cursor.isOperator('(')) {
      if (list) list.isPlain = false;
      open.push({ after: before, isPlain: true, elements: 1, cutFrom: -1 });
      before = undefined;
      continue;
    }
    if (cursor.isOperator(')')) {
      open.pop();
      before = undefined;
      if (list?.isPlain !== true) rows = 0;
      else if (list.after === 'in' && list.cutFrom !== -1) cut(list.cutFrom, cursor.start);
      else if (list.after === 'values' || list.after === 'row') {
        rows = list.after === 'values' ? 1 : rows + 1;
        if (rows > keptRows) cut(comma, cursor.end);
        before = 'row';
      }
      continue;
    }
    if (before === 'row' && cursor.isOperator(',')) {
      comma = cursor.start;
      continue;
    }
    before = undefined;
    if (cursor.kind === 'word') {
      const word = cursor.name();
      if (word === 'in' || word === 'values') before = word;
    }
    if (!list) continue;
    if (cursor.isOperator(',')) {
      list.elements += 1;
      if (list.elements === keptElements + 1) list.cutFrom = cursor.start;
    } else if (!isPlain(cursor)) list.isPlain = false;
  }
  return result + sql.slice(copied);
}

function isPlain(cursor: TokenCursor): boolean {
  if (cursor.kind === 'word') return plainWords.has(cursor.name());
  return plainKinds.has(cursor.kind) || cursor.isOperator('-') || cursor.isOperator('+');
}
