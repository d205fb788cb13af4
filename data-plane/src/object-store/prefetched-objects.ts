import type { ListPage, ObjectStore, StoredObject, WriteCondition, WriteResult } from './object-store.js';

/**
 * A store in which the reading of an object that never changes can begin before it is asked for: whoever knows early what
 * will be needed saves a round trip. What was begun is used once; one that found nothing, or failed, counts for nothing.
 */
export class PrefetchedObjects implements ObjectStore {
  /** Oldest first. */
  readonly #begun = new Map<string, Promise<StoredObject | undefined>>();

  constructor(
    private readonly store: ObjectStore,
    private readonly maxBegun: number,
  ) {}

  /** Begins to read an object that is written once and never replaced. */
  prefetch(key: string): void {
    if (this.#begun.has(key)) return;
    if (this.#begun.size >= this.maxBegun) {
      const [oldest] = this.#begun.keys();
      if (oldest !== undefined) this.#begun.delete(oldest);
    }
    // Whoever asks for it asks the store again, and hears of the failure then.
    this.#begun.set(
      key,
      this.store.get(key).catch(() => undefined),
    );
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const begun = this.#begun.get(key);
    if (begun === undefined) return this.store.get(key);
    this.#begun.delete(key);
    return (await begun) ?? this.store.get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.store.getRange(key, start, length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.store.put(key, body, condition);
  }

  async delete(key: string): Promise<void> {
    this.#begun.delete(key);
    await this.store.delete(key);
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.store.list(prefix, options);
  }
}
