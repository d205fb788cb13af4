import { ByocError } from '../../errors/catalogue.js';

/**
 * Numbers the parameters of one statement as SQLite does: `?` takes the next number, `?7` takes 7, and a name takes the next
 * number when it is seen first and keeps it (https://www.sqlite.org/lang_expr.html#varparam).
 */
export class ParameterNumbering {
  private readonly byName = new Map<string, number>();
  private readonly names: (string | null)[] = [];

  constructor(private readonly maxParameters: number) {}

  /** Takes the next parameter in the order of the text and returns its number, from 1. Throws `SQL_INPUT_ERROR` beyond the limit. */
  add(token: string): number {
    if (token.startsWith('?') && token.length > 1) {
      const number = Number(token.slice(1));
      if (number < 1 || number > this.maxParameters) {
        throw new ByocError('SQL_INPUT_ERROR', `variable number must be between ?1 and ?${this.maxParameters}`);
      }
      while (this.names.length < number) this.names.push(null);
      this.names[number - 1] ??= token;
      return number;
    }
    const known = token === '?' ? undefined : this.byName.get(token);
    if (known !== undefined) return known;
    if (this.names.length >= this.maxParameters) {
      throw new ByocError('SQL_INPUT_ERROR', `too many SQL variables; a statement may have ${this.maxParameters}`);
    }
    this.names.push(token === '?' ? null : token);
    if (token !== '?') this.byName.set(token, this.names.length);
    return this.names.length;
  }

  /** Names in the order of their numbers, null for a parameter without one. */
  list(): readonly (string | null)[] {
    return this.names;
  }
}
