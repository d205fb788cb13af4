/**
 * Proves that everything a database is made of is whole, from digests alone: no key, no claim, nothing is opened. Only what
 * is logged for its present owner is not looked at, because no manifest names it yet.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readWithRetry } from '../storage/conditional-write.js';
import {
  databaseAt,
  listCount,
  readGenerationWithoutKey,
  readSegmentList,
  segmentBundleKey,
  sha256,
  type Generation,
  type SegmentReference,
} from '../storage/generation.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { lineOf, type GenerationReference, type Manifest } from '../storage/manifest.js';
import { archiveName, carriedFragmentsName } from '../storage/object-names.js';
import { chainPoint } from '../storage/restore.js';
import { readUnfolded } from '../storage/unfolded.js';

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
}

/** Throws `STORE_UNAVAILABLE` when the store does not answer: then nothing is known. */
export async function scrubDatabase(input: ScrubInput): Promise<ScrubResult> {
  const scrub = new Scrub(input);
  await scrub.run();
  return scrub;
}

class Scrub implements ScrubResult {
  objects = 0;
  bytes = 0;
  readonly faults: string[] = [];
  readonly #input: ScrubInput;
  readonly #line: readonly DatabaseId[];
  /** Digests of segments by the bundle they lie in; one that lies in several generations is read once. */
  readonly #bundles = new Map<string, Map<string, SegmentReference>>();
  readonly #seen = new Set<string>();

  constructor(input: ScrubInput) {
    this.#input = input;
    this.#line = lineOf(input.manifest);
  }

  async run(): Promise<void> {
    const { manifest } = this.#input;
    if (manifest.collected !== true) {
      await this.#history();
      await this.#unfolded();
    }
    for (const { generation } of manifest.pins ?? []) await this.#generation(generation);
    for (const [key, segments] of this.#bundles) await this.#bundle(key, [...segments.values()]);
  }

  /** From the present generation back to the horizon; of a branch back to where it began. */
  async #history(): Promise<void> {
    const { generation: latest, horizon, parent } = this.#input.manifest;
    const first = Math.max(horizon?.commit ?? 0, parent?.commit ?? 0);
    for (let reference = latest; reference;) {
      const generation = await this.#generation(reference);
      if (!generation || reference.commit <= first) return;
      const { term, number } = reference;
      await this.#object(archiveName(databaseAt(this.#line, reference), term, number), generation.archiveDigest);
      [reference] = generation.earlier;
    }
  }

  async #generation(reference: GenerationReference): Promise<Generation | undefined> {
    if (this.#seen.has(reference.digest)) return undefined;
    this.#seen.add(reference.digest);
    const { runtime, dataStore } = this.#input;
    return this.#check(async () => {
      const generation = await readGenerationWithoutKey(runtime, dataStore, this.#line, reference);
      this.objects += 1;
      for (let list = 0; list < listCount(generation); list++) {
        await this.#check(async () => {
          const segments = await readSegmentList(runtime, dataStore, this.#line, generation, list);
          if (generation.lists) this.objects += 1;
          for (const segment of segments) {
            const key = segmentBundleKey(this.#line, segment);
            const known = this.#bundles.get(key) ?? new Map<string, SegmentReference>();
            this.#bundles.set(key, known.set(segment[5], segment));
          }
        });
      }
      return generation;
    });
  }

  /** What is not folded: its chain is followed from the generation on, and an archive of it read as a whole, too. */
  async #unfolded(): Promise<void> {
    const { runtime, dataStore, logStore, manifest } = this.#input;
    const { generation, carried, tail } = manifest;
    if (carried) await this.#object(carriedFragmentsName(manifest.id, carried.attempt), carried.digest);
    await this.#check(async () => {
      const from = generation && (await readGenerationWithoutKey(runtime, dataStore, this.#line, generation));
      const unfolded = { runtime, dataStore, logStore, line: this.#line, carried, ranges: tail };
      for await (const { bytes } of readUnfolded(unfolded, chainPoint(from))) this.bytes += bytes.length;
    });
  }

  async #bundle(key: string, segments: readonly SegmentReference[]): Promise<void> {
    await this.#check(async () => {
      const body = await this.#read(key);
      for (const [, , , offset, length, digest] of segments) {
        const segment = body.subarray(offset, offset + length);
        if (sha256(segment).toString('hex') === digest) continue;
        throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged at byte ${offset}`);
      }
    });
  }

  async #object(key: string, digest: string): Promise<void> {
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    await this.#check(async () => {
      if (sha256(await this.#read(key)).toString('hex') === digest) return;
      throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} does not match its digest`);
    });
  }

  async #read(key: string): Promise<Buffer> {
    const { runtime, dataStore } = this.#input;
    const object = await readWithRetry(runtime, key, () => dataStore.get(key));
    if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
    this.objects += 1;
    this.bytes += object.body.length;
    return object.body;
  }

  /** Notes damage and goes on. */
  async #check<T>(look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      const isFault =
        error instanceof ByocError &&
        ['STORE_OBJECT_MISSING', 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN'].includes(error.code);
      if (!isFault) throw error;
      if (!this.faults.includes(error.message)) this.faults.push(error.message);
      return undefined;
    }
  }
}
