/** Copies everything that a manifest leads to from one store to another, and checks it on the way. */
import { ByocError } from '../errors/catalogue.js';
import type { ObjectStore, StoredObject } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import type { ReadableObjects } from '../storage/generation.js';
import type { Manifest } from '../storage/manifest.js';
import { assertParts, walkObjects, type DigestedPart, type ObjectVisitor } from '../storage/walk-objects.js';

export interface CopyInput {
  readonly runtime: Runtime;
  readonly from: ObjectStore;
  readonly to: ObjectStore;
  readonly manifest: Manifest;
  /** Keys that `to` is known to have: they are not read. */
  readonly present: ReadonlySet<string>;
}

export interface CopyResult {
  /** Everything that the manifest leads to and `to` has now. */
  readonly keys: readonly string[];
  readonly copiedObjects: number;
  readonly copiedBytes: number;
  /** What is missing or damaged, and could not be copied. */
  readonly faults: readonly string[];
}

/** Throws `STORE_UNAVAILABLE`. */
export async function copyObjects(input: CopyInput): Promise<CopyResult> {
  const copy = new ObjectCopy(input);
  await walkObjects({ runtime: input.runtime, dataStore: copy, manifest: input.manifest }, copy);
  return copy;
}

/**
 * The store that the walk reads is the one to copy from, except for what was copied before: then what was lost since does
 * not matter. What the walk has read and found whole is stored as it was read.
 */
class ObjectCopy implements ObjectVisitor, ReadableObjects, CopyResult {
  readonly keys: string[] = [];
  readonly faults: string[] = [];
  copiedObjects = 0;
  copiedBytes = 0;
  readonly #input: CopyInput;
  /** Read, and not yet known to be whole. */
  readonly #read = new Map<string, Buffer>();

  constructor(input: CopyInput) {
    this.#input = input;
  }

  async index(key: string): Promise<void> {
    this.keys.push(key);
    const body = this.#read.get(key);
    this.#read.delete(key);
    if (body) await this.#store(key, body, []);
  }

  async content(key: string, parts: readonly DigestedPart[]): Promise<void> {
    const { runtime, from, present } = this.#input;
    if (!present.has(key)) {
      const object = await readWithRetry(runtime, key, () => from.get(key));
      if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
      assertParts(key, object.body, parts);
      await this.#store(key, object.body, parts);
    }
    this.keys.push(key);
  }

  fault({ message }: ByocError): void {
    if (!this.faults.includes(message)) this.faults.push(message);
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const { from, to, present } = this.#input;
    if (present.has(key)) return to.get(key);
    const object = await from.get(key);
    if (object) this.#read.set(key, object.body);
    return object;
  }

  async #store(key: string, body: Buffer, parts: readonly DigestedPart[]): Promise<void> {
    const { runtime, to } = this.#input;
    const written = await conditionalWrite(runtime, to, key, body, { ifAbsent: true });
    if (written.won) {
      this.copiedObjects += 1;
      this.copiedBytes += body.length;
      return;
    }
    // A run that was cut off may have copied it, when other parts of it were needed, too.
    if (!written.current) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} was deleted from the copy`);
    if (parts.length === 0) throw new ByocError('STORE_OBJECT_CORRUPT', `the copy has another object ${key}`);
    assertParts(`${key} of the copy`, written.current.body, parts);
  }
}
