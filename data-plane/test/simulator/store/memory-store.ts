/**
 * What an object store holds, with exact semantics: every operation takes effect in one instant, and conditions are judged
 * in that instant. The network in front of it is another thing (see `store-link.ts`).
 *
 * ETags are made of the bytes, as S3 may do: the same bytes have the same ETag again.
 */
import { createHash } from 'node:crypto';
import {
  assertObjectKey,
  type ETag,
  type ListPage,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '@turso-byoc/data-plane/object-store/object-store.js';

export class MemoryStore {
  readonly #objects = new Map<string, StoredObject>();
  /** Keys of objects that were deleted, in order. */
  readonly deleted: string[] = [];
  #sortedKeys: string[] | undefined;

  constructor(readonly name: string) {}

  get(key: string): StoredObject | undefined {
    assertObjectKey(key);
    const object = this.#objects.get(key);
    return object && { body: Buffer.from(object.body), etag: object.etag };
  }

  getRange(key: string, start: number, length: number): Buffer | undefined {
    assertObjectKey(key);
    const object = this.#objects.get(key);
    return object && Buffer.from(object.body.subarray(start, start + length));
  }

  put(key: string, body: Buffer, condition: WriteCondition): WriteResult {
    assertObjectKey(key);
    const current = this.#objects.get(key);
    const holds = 'ifAbsent' in condition ? current === undefined : current?.etag === condition.ifMatch;
    if (!holds) return { won: false };
    const etag = createHash('sha1').update(body).digest('hex') as ETag;
    if (!current) this.#sortedKeys = undefined;
    this.#objects.set(key, { body, etag });
    return { won: true, etag };
  }

  delete(key: string): void {
    assertObjectKey(key);
    if (!this.#objects.delete(key)) return;
    this.deleted.push(key);
    this.#sortedKeys = undefined;
  }

  list(prefix: string, { after = '', limit = 1_000 }: { after?: string; limit?: number } = {}): ListPage {
    this.#sortedKeys ??= [...this.#objects.keys()].sort();
    const matching = this.#sortedKeys.filter((key) => key.startsWith(prefix) && key > after);
    const keys = matching.slice(0, limit);
    const last = keys.at(-1);
    return matching.length > limit && last !== undefined ? { keys, next: last } : { keys };
  }

  /** Overwrites an object whatever stands there: damage, not an operation of a store. */
  damage(key: string, body: Buffer): void {
    this.#objects.set(key, { body, etag: createHash('sha1').update(body).digest('hex') as ETag });
    this.#sortedKeys = undefined;
  }
}
