/**
 * Proves that everything a database is made of is whole, from digests alone: no key, no claim, nothing is opened; and that
 * the ring in its manifest has every data key that any of it is sealed under. Only what is logged for its present owner is
 * not looked at, because no manifest names it yet.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readWithRetry } from '../storage/conditional-write.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { lineOf, type Manifest } from '../storage/manifest.js';
import { chainPoint } from '../storage/restore.js';
import { readUnfolded } from '../storage/unfolded.js';
import { fragmentSealedUnder, sealedUnder, type NamedDataKey } from '../storage/sealed-under.js';
import { assertParts, isFault, walkObjects, type DigestedPart, type ObjectVisitor } from '../storage/walk-objects.js';

export interface ScrubInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  readonly manifest: Manifest;
}

/** What was looked at, and what is wrong, each as one sentence that names the object. */
export interface ScrubResult {
  readonly objects: number;
  readonly bytes: number;
  readonly faults: readonly string[];
  /** Numbers of the database's own data keys that something is sealed under, rising. */
  readonly dataKeys: readonly number[];
}

/** Throws `STORE_UNAVAILABLE` when the store does not answer: then nothing is known. */
export async function scrubDatabase(input: ScrubInput): Promise<ScrubResult> {
  const scrub = new Scrub(input);
  await scrub.run();
  return scrub;
}

class Scrub implements ScrubResult, ObjectVisitor {
  objects = 0;
  bytes = 0;
  readonly faults: string[] = [];
  readonly #own = new Set<number>();
  readonly #input: ScrubInput;

  constructor(input: ScrubInput) {
    this.#input = input;
  }

  get dataKeys(): number[] {
    return [...this.#own].sort((a, b) => a - b);
  }

  async run(): Promise<void> {
    await walkObjects(this.#input, this);
    if (this.#input.manifest.collected === true) return;
    try {
      await this.#unfolded();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.fault(error);
    }
  }

  index(): Promise<void> {
    this.objects += 1;
    return Promise.resolve();
  }

  async content(key: string, parts: readonly DigestedPart[]): Promise<void> {
    const { runtime, dataStore } = this.#input;
    const object = await readWithRetry(runtime, key, () => dataStore.get(key));
    if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
    this.objects += 1;
    this.bytes += object.body.length;
    assertParts(key, object.body, parts);
    for (const used of sealedUnder(key, object.body, parts)) this.#assertInRing(key, used);
  }

  #assertInRing(where: string, { database, number }: NamedDataKey): void {
    const { id, keys, collected } = this.#input.manifest;
    // Of a database whose keys were destroyed only what branches keep is left; they have keys of their own.
    if (collected === true) return;
    if (database === id) this.#own.add(number);
    if (keys.some((key) => key.number === number && (key.opens ?? id) === database)) return;
    const sentence = `${where} is sealed under data key ${number} of database ${database}, which the manifest lacks`;
    throw new ByocError('STORE_OBJECT_CORRUPT', sentence);
  }

  fault({ message }: ByocError): void {
    if (!this.faults.includes(message)) this.faults.push(message);
  }

  /** What is not folded: its chain is followed from the generation on. */
  async #unfolded(): Promise<void> {
    const { runtime, dataStore, logStore, manifest } = this.#input;
    const { generation, carried, tail } = manifest;
    const line = lineOf(manifest);
    const from = generation && (await readGenerationWithoutKey(runtime, dataStore, line, generation));
    const unfolded = { runtime, dataStore, logStore, line, carried, ranges: tail };
    for await (const { where, bytes } of readUnfolded(unfolded, chainPoint(from))) {
      this.bytes += bytes.length;
      this.#assertInRing(`a fragment in ${where}`, fragmentSealedUnder(where, bytes));
    }
  }
}
