/**
 * SQLite's lexical rules over a JavaScript string: one pass, constant memory, no recursion.
 *
 * The gate's decisions rest on one property: what this scanner calls a comment or a string, the engines call a comment
 * or a string too. Where the two engines differ, the difference only turns accepted text into a syntax error.
 */
export type TokenKind =
  | 'word' // a bare identifier or keyword
  | 'quoted' // "x", `x` or [x]
  | 'string' // 'x'; SQLite also takes it as a name in some places
  | 'blob' // x'00'
  | 'number'
  | 'parameter' // ?, ?1, :a, @a, $a, $a::b(c)
  | 'operator'
  | 'illegal'; // what the engine will refuse as an unrecognized token

const TAB = 0x09;
const NEWLINE = 0x0a;
/** White space only after other white space: alone it begins no token that SQLite knows. */
const VERTICAL_TAB = 0x0b;
const FORM_FEED = 0x0c;
const RETURN = 0x0d;
const SPACE = 0x20;
const BYTE_ORDER_MARK = 0xfeff;

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isHexDigit = (code: number): boolean =>
  isDigit(code) || (code >= 0x41 && code <= 0x46) || (code >= 0x61 && code <= 0x66);
const isSpace = (code: number): boolean =>
  code === SPACE || code === TAB || code === NEWLINE || code === FORM_FEED || code === RETURN;
/** Letters, digits, `_`, `$` and everything beyond ASCII: the characters that continue an identifier. */
const isIdentifierPart = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  isDigit(code) ||
  code === 0x5f ||
  code === 0x24 ||
  code >= 0x80;

/** What cannot stand in the parentheses of a parameter such as `$a(b)`. */
const endsTclIndex = (code: number): boolean => isSpace(code) || code === VERTICAL_TAB || code === 0x29;

const threeCharacterOperators = new Set(['->>']);
const twoCharacterOperators = new Set(['||', '<<', '>>', '<=', '>=', '<>', '==', '!=', '->']);
const oneCharacterOperators = new Set('()+-*/%=<>&|~,;.'.split(''));

/**
 * A cursor over the tokens of `sql`; white space and comments are passed over. After `next()` returned true, `kind`,
 * `start` and `end` describe the current token.
 */
export class TokenCursor {
  readonly sql: string;
  kind: TokenKind = 'operator';
  start = 0;
  end = 0;

  constructor(sql: string) {
    this.sql = sql;
  }

  /** Moves to the next token; false at the end of the text. */
  next(): boolean {
    this.start = skipSpace(this.sql, this.end);
    if (this.start >= this.sql.length) {
      this.end = this.sql.length;
      return false;
    }
    this.scan();
    return true;
  }

  /** The token as written. */
  text(): string {
    return this.sql.slice(this.start, this.end);
  }

  /** The name that the token stands for when it stands for one: quotes removed, ASCII letters in lower case. */
  name(): string {
    return unquote(this.text()).toLowerCase();
  }

  /** True when the token is of this kind. */
  is(kind: TokenKind): boolean {
    return this.kind === kind;
  }

  /** True when the token is exactly this operator. */
  isOperator(operator: string): boolean {
    return (
      this.kind === 'operator' && this.end - this.start === operator.length && this.sql.startsWith(operator, this.start)
    );
  }

  private scan(): void {
    const { sql, start } = this;
    const code = sql.charCodeAt(start);
    const following = sql.charCodeAt(start + 1);
    if (code === 0x27) this.take('string', endOfQuoted(sql, start, code));
    else if (code === 0x22 || code === 0x60) this.take('quoted', endOfQuoted(sql, start, code));
    else if (code === 0x5b) this.take('quoted', endOfBracketed(sql, start));
    else if ((code === 0x78 || code === 0x58) && following === 0x27) this.scanBlob();
    else if (isDigit(code) || (code === 0x2e && isDigit(following))) this.scanNumber();
    else if (code === 0x3f) this.take('parameter', endOfDigits(sql, start + 1));
    else if (code === 0x24 || code === 0x40 || code === 0x3a || code === 0x23) this.scanVariable(code);
    else if (isIdentifierPart(code)) this.take('word', endOfIdentifier(sql, start));
    else this.scanOperator();
  }

  /** Sets the token; an end beyond the text means that its closing delimiter is missing. */
  private take(kind: TokenKind, end: number): void {
    this.kind = end > this.sql.length ? 'illegal' : kind;
    this.end = Math.min(end, this.sql.length);
  }

  private scanBlob(): void {
    let end = this.start + 2;
    while (isHexDigit(this.sql.charCodeAt(end))) end += 1;
    const whole = this.sql.charCodeAt(end) === 0x27 && (end - this.start) % 2 === 0;
    if (whole) {
      this.take('blob', end + 1);
      return;
    }
    const close = this.sql.indexOf("'", end);
    this.take('illegal', close === -1 ? this.sql.length : close + 1);
  }

  private scanNumber(): void {
    const { sql, start } = this;
    const part = (from: number, accept: (code: number) => boolean): number => {
      let end = from;
      while (
        accept(sql.charCodeAt(end)) ||
        (sql.charCodeAt(end) === 0x5f && end > from && accept(sql.charCodeAt(end + 1)))
      ) {
        end += 1;
      }
      return end;
    };
    let end: number;
    const marker = sql.charCodeAt(start + 1) | 0x20;
    if (sql.charCodeAt(start) === 0x30 && marker === 0x78 && isHexDigit(sql.charCodeAt(start + 2))) {
      end = part(start + 2, isHexDigit);
    } else {
      end = part(start, isDigit);
      if (sql.charCodeAt(end) === 0x2e) end = part(end + 1, isDigit);
      if ((sql.charCodeAt(end) | 0x20) === 0x65) {
        const sign = sql.charCodeAt(end + 1) === 0x2b || sql.charCodeAt(end + 1) === 0x2d ? 1 : 0;
        if (isDigit(sql.charCodeAt(end + 1 + sign))) end = part(end + 1 + sign, isDigit);
      }
    }
    const tail = endOfIdentifier(sql, end);
    this.take(tail > end ? 'illegal' : 'number', tail);
  }

  /** `:a`, `@a`, `$a`, with the Tcl forms `$a::b` and `$a(b)`; `#1` is an engine register and never legal here. */
  private scanVariable(code: number): void {
    const { sql, start } = this;
    let end = start + 1;
    let characters = 0;
    for (;;) {
      const at = sql.charCodeAt(end);
      if (isIdentifierPart(at)) {
        characters += 1;
        end += 1;
      } else if (at === 0x28 && characters > 0) {
        let close = end + 1;
        while (close < sql.length && !endsTclIndex(sql.charCodeAt(close))) close += 1;
        if (sql.charCodeAt(close) === 0x29) end = close + 1;
        else {
          this.take('illegal', close);
          return;
        }
        break;
      } else if (at === 0x3a && sql.charCodeAt(end + 1) === 0x3a) end += 2;
      else break;
    }
    this.take(characters === 0 || code === 0x23 ? 'illegal' : 'parameter', end);
  }

  private scanOperator(): void {
    const { sql, start } = this;
    if (threeCharacterOperators.has(sql.slice(start, start + 3))) this.take('operator', start + 3);
    else if (twoCharacterOperators.has(sql.slice(start, start + 2))) this.take('operator', start + 2);
    else this.take(oneCharacterOperators.has(sql.charAt(start)) ? 'operator' : 'illegal', start + 1);
  }
}

/** Removes one pair of delimiters and halves the doubled ones inside; other text comes back as it is. */
export function unquote(text: string): string {
  const open = text.charAt(0);
  if (text.length < 2) return text;
  if (open === '[') return text.slice(1, -1);
  if (open === '"' || open === '`' || open === "'") return text.slice(1, -1).replaceAll(open + open, open);
  return text;
}

/** Offset of the first character at or after `from` that belongs to a token. */
function skipSpace(sql: string, from: number): number {
  let at = from;
  for (;;) {
    const code = sql.charCodeAt(at);
    if (isSpace(code)) {
      do at += 1;
      while (isSpace(sql.charCodeAt(at)) || sql.charCodeAt(at) === VERTICAL_TAB);
    } else if (code === BYTE_ORDER_MARK) at += 1;
    else if (code === 0x2d && sql.charCodeAt(at + 1) === 0x2d) {
      const newline = sql.indexOf('\n', at + 2);
      if (newline === -1) return sql.length;
      at = newline + 1;
    } else if (code === 0x2f && sql.charCodeAt(at + 1) === 0x2a && at + 2 < sql.length) {
      // SQLite looks for the end from the second character after the opening, and takes the end of the text as well.
      const close = sql.indexOf('*/', at + 2);
      if (close === -1) return sql.length;
      at = close + 2;
    } else return at;
  }
}

function endOfQuoted(sql: string, start: number, quote: number): number {
  const delimiter = String.fromCharCode(quote);
  let at = start + 1;
  for (;;) {
    const close = sql.indexOf(delimiter, at);
    if (close === -1) return sql.length + 1;
    if (sql.charCodeAt(close + 1) !== quote) return close + 1;
    at = close + 2;
  }
}

function endOfBracketed(sql: string, start: number): number {
  const close = sql.indexOf(']', start + 1);
  return close === -1 ? sql.length + 1 : close + 1;
}

function endOfDigits(sql: string, from: number): number {
  let at = from;
  while (isDigit(sql.charCodeAt(at))) at += 1;
  return at;
}

function endOfIdentifier(sql: string, from: number): number {
  let at = from;
  while (isIdentifierPart(sql.charCodeAt(at))) at += 1;
  return at;
}
