import { ByocError } from '../../errors/catalogue.js';
import type { CursorReader } from '../../hrana/socket/codec.js';

/**
 * An open cursor: the body of a cursor over HTTP, of which entries are taken as the client asks for them. What is not asked
 * for is not taken, and the engine waits.
 */
export class SocketCursor {
  readonly #parts: AsyncIterator<Buffer> | undefined;
  readonly #reader: CursorReader;
  #entries: Buffer[] = [];
  #position = 0;
  #isAtEnd = false;

  /** `body`: whole when the cursor was short. Throws as `fetch`. */
  constructor(body: Buffer | AsyncIterable<Buffer>, reader: CursorReader) {
    this.#reader = reader;
    if (Buffer.isBuffer(body)) {
      this.#entries = reader.push(body);
      this.#end();
    } else {
      this.#parts = body[Symbol.asyncIterator]();
    }
  }

  /** The baton of the stream, once something was read. */
  get baton(): string | undefined {
    return this.#reader.baton;
  }

  /** Reads the head. Throws as `fetch`. */
  async begin(): Promise<void> {
    while (this.baton === undefined && !this.#isAtEnd) await this.#read();
  }

  /**
   * The next entries, at most `maxCount` and about `maxBytes` of them, at least one unless there are no more; `done`: nothing
   * follows. Throws STREAM_EXPIRED when the cursor broke off, and what the database throws.
   */
  async fetch(maxCount: number, maxBytes: number): Promise<{ readonly entries: Buffer[]; readonly done: boolean }> {
    while (this.#position >= this.#entries.length && !this.#isAtEnd) await this.#read();
    const taken: Buffer[] = [];
    for (let bytes = 0; taken.length < maxCount && bytes < maxBytes;) {
      const entry = this.#entries[this.#position];
      if (!entry) break;
      this.#position += 1;
      taken.push(entry);
      bytes += entry.length;
    }
    return { entries: taken, done: this.#isAtEnd && this.#position >= this.#entries.length };
  }

  /** Takes no more; the engine stops. */
  async close(): Promise<void> {
    this.#isAtEnd = true;
    this.#entries = [];
    this.#position = 0;
    await this.#parts?.return?.();
  }

  async #read(): Promise<void> {
    const next = await this.#parts?.next();
    if (!next || next.done === true) {
      this.#end();
      return;
    }
    const entries = this.#reader.push(next.value);
    if (this.#position < this.#entries.length) this.#entries.push(...entries);
    else {
      this.#entries = entries;
      this.#position = 0;
    }
  }

  #end(): void {
    this.#isAtEnd = true;
    if (!this.#reader.isComplete()) throw new ByocError('STREAM_EXPIRED', 'the cursor broke off');
  }
}
