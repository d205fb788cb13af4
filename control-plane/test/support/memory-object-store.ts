import type {
  ETag,
  ListPage,
  ObjectStore,
  StoredObject,
  WriteCondition,
  WriteResult,
} from '@turso-byoc/data-plane/object-store/object-store.js';

/** An object store in memory. */
export class MemoryObjectStore implements ObjectStore {
  readonly objects = new Map<string, { body: Buffer; etag: ETag }>();
  #writes = 0;
  /** Runs before each write; lets tests come in between. */
  beforeWrite: (key: string) => Promise<void> = async () => undefined;

  async get(key: string): Promise<StoredObject | undefined> {
    return this.objects.get(key);
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.objects.get(key)?.body.subarray(start, start + length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    await this.beforeWrite(key);
    const current = this.objects.get(key);
    const holds = 'ifAbsent' in condition ? current === undefined : current?.etag === condition.ifMatch;
    if (!holds) return { won: false };
    this.#writes += 1;
    const etag = `"${this.#writes}"` as ETag;
    this.objects.set(key, { body: Buffer.from(body), etag });
    return { won: true, etag };
  }

  async delete(key: string): Promise<void> {
    this.objects.delete(key);
  }

  async list(
    prefix: string,
    { after = '', limit = 1_000 }: { after?: string; limit?: number } = {},
  ): Promise<ListPage> {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, limit);
    const last = page.at(-1);
    return { keys: page, ...(keys.length > limit && last !== undefined && { next: last }) };
  }
}
