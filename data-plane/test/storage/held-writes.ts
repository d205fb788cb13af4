import type {
  ListPage,
  ObjectStore,
  StoredObject,
  WriteCondition,
  WriteResult,
} from '../../src/object-store/object-store.js';
import type { VirtualRuntime } from '../virtual-runtime.js';

interface HeldWrite {
  readonly key: string;
  readonly perform: () => Promise<void>;
}

/** A store whose writes wait until the test lets them happen, in the order it likes. */
export class HeldWrites implements ObjectStore {
  readonly #held: HeldWrite[] = [];

  constructor(
    private readonly runtime: VirtualRuntime,
    private readonly store: ObjectStore,
  ) {}

  /** Keys of the writes that wait, oldest first. */
  get keys(): string[] {
    return this.#held.map(({ key }) => key);
  }

  /** Lets the write number `index` of those that wait happen; resolves when it has and its answer was heard. */
  async release(index = 0): Promise<void> {
    const [write] = this.#held.splice(index, 1);
    await write?.perform();
    await this.runtime.advance(0);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      const perform = async (): Promise<void> => this.store.put(key, body, condition).then(resolve, reject);
      this.#held.push({ key, perform });
    });
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.runtime.hold(this.store.get(key));
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.runtime.hold(this.store.getRange(key, start, length));
  }

  async delete(key: string): Promise<void> {
    return this.runtime.hold(this.store.delete(key));
  }

  async list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage> {
    return this.runtime.hold(this.store.list(prefix, options));
  }
}
