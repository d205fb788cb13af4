import { ByocError } from '../../errors/catalogue.js';
import type { BatchStep, SqlText } from '../../hrana/protocol.js';
import type { SocketStreamRequest } from '../../hrana/socket/messages.js';
import type { WebSocketLimits } from './web-socket-limits.js';

/**
 * SQL texts that a client stored in its connection, for all its streams. What runs in a stream gets the texts themselves, so
 * that the stream depends on nothing here. An id that is not stored stays as it is: the database says so, where it is used.
 */
export class StoredTexts {
  readonly #limits: Pick<WebSocketLimits, 'maxStoredTexts' | 'maxStoredTextBytes'>;
  readonly #maxResolvedBytes: number;
  readonly #texts = new Map<number, string>();

  /** `maxResolvedBytes`: the texts of one request together, each as often as it is used. */
  constructor(limits: Pick<WebSocketLimits, 'maxStoredTexts' | 'maxStoredTextBytes'>, maxResolvedBytes: number) {
    this.#limits = limits;
    this.#maxResolvedBytes = maxResolvedBytes;
  }

  /** Stores a text; an id in use gets the new one. Throws SQL_STORE_TOO_LARGE, SQL_STORE_TOO_MANY. */
  store(sqlId: number, sql: string): void {
    const { maxStoredTexts, maxStoredTextBytes } = this.#limits;
    if (Buffer.byteLength(sql) > maxStoredTextBytes) {
      throw new ByocError('SQL_STORE_TOO_LARGE', `a stored SQL text may have ${maxStoredTextBytes} bytes`);
    }
    if (this.#texts.size >= maxStoredTexts && !this.#texts.has(sqlId)) {
      throw new ByocError('SQL_STORE_TOO_MANY', `a connection may store ${maxStoredTexts} SQL texts`);
    }
    this.#texts.set(sqlId, sql);
  }

  /** Forgets a text; an unknown id is fine. */
  close(sqlId: number): void {
    this.#texts.delete(sqlId);
  }

  /** The request with the stored texts in it. Throws REQUEST_TOO_LARGE. */
  resolve(request: SocketStreamRequest): SocketStreamRequest {
    switch (request.type) {
      case 'execute': {
        const { statement } = request;
        return { ...request, statement: { ...statement, text: this.#text(statement.text) } };
      }
      case 'batch':
        return { ...request, steps: this.resolveSteps(request.steps) };
      case 'sequence':
      case 'describe':
        return { ...request, text: this.#text(request.text) };
      case 'get_autocommit':
        return request;
    }
  }

  /** The steps with the stored texts in them. Throws REQUEST_TOO_LARGE. */
  resolveSteps(steps: readonly BatchStep[]): readonly BatchStep[] {
    let bytes = 0;
    return steps.map((step) => {
      const { statement } = step;
      const text = this.#text(statement.text);
      if (text === statement.text) return step;
      // A short request may name a long text very often.
      if ('sql' in text) bytes += text.sql.length;
      if (bytes > this.#maxResolvedBytes) {
        throw new ByocError(
          'REQUEST_TOO_LARGE',
          `the stored texts of this request have more than ${this.#maxResolvedBytes} bytes together`,
        );
      }
      return { ...step, statement: { ...statement, text } };
    });
  }

  #text(text: SqlText): SqlText {
    if ('sql' in text) return text;
    const sql = this.#texts.get(text.sqlId);
    return sql === undefined ? text : { sql };
  }
}
