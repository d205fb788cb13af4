import { ByocError } from '../errors/catalogue.js';
import type { SqlText } from './protocol.js';

/** The JavaScript client stores at most 30 texts of less than 5,000 characters. */
const maxTexts = 64;
const maxTextBytes = 16 * 1024;

/** SQL texts that a client stored in its stream, to send them once and run them often. */
export class StoredSql {
  /** Made when it is needed: most streams store nothing. */
  #texts: Map<number, string> | undefined;

  get isEmpty(): boolean {
    return this.#texts === undefined || this.#texts.size === 0;
  }

  /** Stores a text; an id in use gets the new text. Throws SQL_STORE_TOO_LARGE, SQL_STORE_TOO_MANY. */
  store(sqlId: number, sql: string): void {
    if (Buffer.byteLength(sql) > maxTextBytes) {
      throw new ByocError('SQL_STORE_TOO_LARGE', `a stored SQL text may have ${maxTextBytes} bytes`);
    }
    this.#texts ??= new Map();
    if (this.#texts.size >= maxTexts && !this.#texts.has(sqlId)) {
      throw new ByocError('SQL_STORE_TOO_MANY', `a stream may store ${maxTexts} SQL texts`);
    }
    this.#texts.set(sqlId, sql);
  }

  /** Forgets a text; an unknown id is fine. */
  close(sqlId: number): void {
    this.#texts?.delete(sqlId);
  }

  /** The text itself. Throws SQL_INPUT_ERROR for an id that is not stored. */
  resolve(text: SqlText): string {
    if ('sql' in text) return text.sql;
    const sql = this.#texts?.get(text.sqlId);
    if (sql === undefined) throw new ByocError('SQL_INPUT_ERROR', `no SQL text ${text.sqlId} is stored in this stream`);
    return sql;
  }
}
