/**
 * The text of a statement without the values in it: what statements of one program have in common, and what may be told of
 * them. Whatever could be a value is replaced, also where it could be a name.
 */
import { longestShape } from '../ipc/shaped-costs.js';
import { TokenCursor } from '../sql-gate/tokenizer.js';

/** What lies further on in a text is not looked at. */
const longestLook = 16 * 1024;
/** Values in a row that are written one by one. */
const valuesInRow = 3;

/** After these words a name comes, never a value. */
const beforeNames = new Set([
  'from',
  'join',
  'into',
  'update',
  'table',
  'index',
  'view',
  'trigger',
  'exists',
  'replace',
]);

/**
 * `sql` with `?` for every literal, one space for white space and comments, long lists of values and rows of the same values
 * shortened to `…`. `isName`: whether something in the schema has this name (in lower case); a text in double quotes that is
 * no name may be a string to SQLite.
 */
export function statementShape(sql: string, isName: (name: string) => boolean): string {
  const cursor = new TokenCursor(sql);
  const shape = new Shape();
  let before = '';
  let end = 0;
  while (cursor.next()) {
    if (cursor.start > longestLook || shape.isFull) return shape.cut();
    const isSpaced = cursor.start > end && end > 0;
    const text = cursor.text();
    const isQualified = before === '.' || sql.charAt(cursor.end) === '.';
    if (isValue(cursor, isQualified || beforeNames.has(before), isName)) shape.addValue('?', isSpaced);
    else if (cursor.is('parameter')) shape.addValue(text, isSpaced);
    else shape.add(text, isSpaced);
    before = cursor.is('word') ? text.toLowerCase() : text;
    end = cursor.end;
  }
  return shape.text;
}

function isValue(cursor: TokenCursor, isSurelyName: boolean, isName: (name: string) => boolean): boolean {
  switch (cursor.kind) {
    case 'string':
    case 'blob':
    case 'number':
    case 'illegal':
      return true;
    case 'word':
      return /^(?:true|false)$/i.test(cursor.text());
    case 'quoted':
      return cursor.text().startsWith('"') && !isSurelyName && !isName(cursor.name());
    default:
      return false;
  }
}

/** A shape as it grows. */
class Shape {
  text = '';
  /** Values since the last that was something else. */
  #values = 0;
  /** Where the innermost parenthesis began, while it has nothing but values. */
  #rowAt: number | undefined;
  #lastRow = '';
  #lastRowEnd = -1;

  get isFull(): boolean {
    return this.text.length >= longestShape;
  }

  /** What there is, with a sign that there is more. */
  cut(): string {
    return `${this.text.slice(0, longestShape - 1).trimEnd()}…`;
  }

  addValue(text: string, isSpaced: boolean): void {
    this.#values += 1;
    if (this.#values <= valuesInRow) this.#append(text, isSpaced);
    else if (this.#values === valuesInRow + 1) this.#append('…', isSpaced);
  }

  add(text: string, isSpaced: boolean): void {
    if (text === ',') {
      if (this.#values <= valuesInRow) this.text += ',';
      return;
    }
    if (text === '(') {
      this.#values = 0;
      this.#append(text, isSpaced);
      this.#rowAt = this.text.length - 1;
      return;
    }
    const isRow = text === ')' && this.#rowAt !== undefined;
    // After the values a name, an operator: no row.
    this.#values = 0;
    this.#append(text, isSpaced);
    if (isRow) this.#endRow(this.#rowAt ?? 0);
    this.#rowAt = undefined;
  }

  #endRow(at: number): void {
    const row = this.text.slice(at);
    if (row === this.#lastRow && /^, (?:…, )?$/.test(this.text.slice(this.#lastRowEnd, at))) {
      this.text = `${this.text.slice(0, this.#lastRowEnd)}, …`;
    } else {
      this.#lastRow = row;
      this.#lastRowEnd = this.text.length;
    }
  }

  #append(text: string, isSpaced: boolean): void {
    const last = this.text.at(-1);
    if (last === ',' || (isSpaced && last !== '(' && text !== ')')) this.text += ' ';
    this.text += text;
  }
}
