import type { ListPage, ObjectStore, StoredObject, WriteCondition, WriteResult } from './object-store.js';

/**
 * A store of objects that are written once and never change, with the latest own writes kept in memory: what a node logs
 * it soon reads again, to fold it or to reopen a database. Everything else passes through.
 *
 * Sound only where an object is created with `ifAbsent` and never replaced: then what this process has won is what the
 * store holds.
 */
export class RecentObjects implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #bodies = new Map<string, Buffer>();
  #bytes = 0;

  constructor(store: ObjectStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#store.get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#bodies.get(key)?.subarray(start, start + length) ?? this.#store.getRange(key, start, length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    const result = await this.#store.put(key, body, condition);
    if (result.won && 'ifAbsent' in condition) this.#keep(key, body);
    return result;
  }

  async delete(key: string): Promise<void> {
    this.#forget(key);
    await this.#store.delete(key);
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#store.list(prefix, options);
  }

  #keep(key: string, body: Uint8Array): void {
    if (body.byteLength > this.#maxBytes) return;
    this.#bodies.set(key, Buffer.from(body.buffer, body.byteOffset, body.byteLength));
    this.#bytes += body.byteLength;
    for (const oldest of this.#bodies.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#bodies.get(key)?.byteLength ?? 0;
    this.#bodies.delete(key);
  }
}
