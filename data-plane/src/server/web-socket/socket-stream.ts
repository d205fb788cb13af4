/**
 * One stream of a connection: the requests of a client that belong together, one after the other. It holds the baton that a
 * client over HTTP would hold, and every request of it is a request over HTTP to the rest of the product: it finds the owner of
 * the database, waits for what it saw to be durable, and moves with the database.
 *
 * Invariant: a stream that may have lost a transaction runs nothing any more. What the client sent in the belief that it was
 * within the transaction must not be committed by itself.
 */
import { ByocError } from '../../errors/catalogue.js';
import type { SocketCursor } from './socket-cursor.js';

export class SocketStream {
  readonly id: number;
  /** What the next request goes on with; undefined while the database keeps nothing for this stream. */
  baton: string | undefined;
  cursor: { readonly id: number; readonly cursor: SocketCursor } | undefined;
  lastUsedMs: number;
  #lost: string | undefined;
  #unfinished = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(id: number, nowMs: number) {
    this.id = id;
    this.lastUsedMs = nowMs;
  }

  /** A request runs. */
  get isBusy(): boolean {
    return this.#unfinished > 0;
  }

  /**
   * A request failed as a whole, so that what the database kept for the stream is gone. What was sent after it, and what
   * follows in a transaction, must not run by itself.
   */
  failed(reason: string): void {
    if (this.baton !== undefined || this.#unfinished > 1) this.#lost ??= reason;
    this.baton = undefined;
  }

  /** Throws STREAM_EXPIRED. */
  throwIfLost(): void {
    if (this.#lost === undefined) return;
    throw new ByocError('STREAM_EXPIRED', `the stream ended when a request of it failed: ${this.#lost}`);
  }

  /** Runs `work`, which must not reject, when everything before it has ended. */
  enqueue(work: () => Promise<void>): void {
    this.#unfinished += 1;
    this.#tail = this.#tail.then(work).finally(() => (this.#unfinished -= 1));
  }
}
