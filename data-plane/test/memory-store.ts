import {
  assertObjectKey,
  type ETag,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '../src/object-store/object-store.js';
import type { ObjectVersions } from '../src/object-store/object-versions.js';

/** An object store in memory that does what the contract says, at once. */
export class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, StoredObject>();
  /** What was replaced, by the version's name; kept only while `isVersioned`. */
  readonly replaced = new Map<string, Map<string, Buffer>>();
  isVersioned = false;
  readonly versions: ObjectVersions = {
    older: async (key) => [...(this.replaced.get(key)?.keys() ?? [])],
    remove: async (key, version) => void this.replaced.get(key)?.delete(version),
  };
  #writes = 0;

  async get(key: string): Promise<StoredObject | undefined> {
    assertObjectKey(key);
    return this.objects.get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    assertObjectKey(key);
    return this.objects.get(key)?.body.subarray(start, start + length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    assertObjectKey(key);
    const current = this.objects.get(key);
    const holds = 'ifAbsent' in condition ? !current : current?.etag === condition.ifMatch;
    if (!holds) return { won: false };
    if (current && this.isVersioned) {
      this.replaced.set(key, (this.replaced.get(key) ?? new Map<string, Buffer>()).set(current.etag, current.body));
    }
    const etag = `etag-${++this.#writes}` as ETag;
    this.objects.set(key, { body: Buffer.from(body), etag });
    return { won: true, etag };
  }

  async delete(key: string): Promise<void> {
    assertObjectKey(key);
    this.objects.delete(key);
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const { after = '', limit = 1_000 } = options;
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, limit);
    const last = page.at(-1);
    return keys.length > limit && last !== undefined ? { keys: page, next: last } : { keys: page };
  }
}
