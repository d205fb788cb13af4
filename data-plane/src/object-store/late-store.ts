import {
  StoreUnavailableError,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from './object-store.js';

/** A store that could not be opened yet: until it is, every request fails as one to a store that cannot be reached. */
export class LateStore implements ObjectStore {
  readonly #name: string;
  #store: ObjectStore | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get isOpen(): boolean {
    return this.#store !== undefined;
  }

  /** From now on requests go to `store`. */
  open(store: ObjectStore): void {
    this.#store = store;
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#opened().get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#opened().getRange(key, start, length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#opened().put(key, body, condition);
  }

  async delete(key: string): Promise<void> {
    await this.#opened().delete(key);
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.#opened().list(prefix, options);
  }

  #opened(): ObjectStore {
    if (!this.#store) throw new StoreUnavailableError(`the store ${this.#name} is not open`);
    return this.#store;
  }
}
