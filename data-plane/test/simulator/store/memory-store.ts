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
  /** By the first part of the name, for those that were listed since something was created or deleted there. */
  readonly #sortedKeys = new Map<string, string[]>();
  readonly #keys = new Map<string, Set<string>>();

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
    this.#set(key, { body, etag });
    return { won: true, etag };
  }

  delete(key: string): void {
    assertObjectKey(key);
    if (!this.#objects.delete(key)) return;
    this.deleted.push(key);
    this.#keys.get(firstPart(key))?.delete(key);
    this.#sortedKeys.delete(firstPart(key));
  }

  list(prefix: string, { after = '', limit = 1_000 }: { after?: string; limit?: number } = {}): ListPage {
    const parts = prefix.includes('/') ? [firstPart(prefix)] : [...this.#keys.keys()].sort();
    const matching = parts.flatMap((part) => this.#sorted(part)).filter((key) => key.startsWith(prefix) && key > after);
    const keys = matching.slice(0, limit);
    const last = keys.at(-1);
    return matching.length > limit && last !== undefined ? { keys, next: last } : { keys };
  }

  /** Overwrites an object whatever stands there: damage, not an operation of a store. */
  damage(key: string, body: Buffer): void {
    this.#set(key, { body, etag: createHash('sha1').update(body).digest('hex') as ETag });
  }

  #set(key: string, object: StoredObject): void {
    if (!this.#objects.has(key)) {
      const part = firstPart(key);
      const keys = this.#keys.get(part) ?? new Set();
      this.#keys.set(part, keys.add(key));
      this.#sortedKeys.delete(part);
    }
    this.#objects.set(key, object);
  }

  #sorted(part: string): string[] {
    const known = this.#sortedKeys.get(part);
    if (known) return known;
    const sorted = [...(this.#keys.get(part) ?? [])].sort();
    this.#sortedKeys.set(part, sorted);
    return sorted;
  }
}

/** Up to the first slash and with it, so that the parts are in the order of the names. */
function firstPart(key: string): string {
  return key.slice(0, key.indexOf('/') + 1) || key;
}
