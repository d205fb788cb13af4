/**
 * Everything in the data store that a manifest leads to: its history back to the horizon, what it carries, what it keeps
 * for branches. Needs no key: digests say what each object must be.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import {
  databaseAt,
  generationKey,
  listCount,
  readGenerationWithoutKey,
  readSegmentList,
  segmentBundleKey,
  segmentListKey,
  sha256,
  type Generation,
  type ReadableObjects,
} from './generation.js';
import { lineOf, type GenerationReference, type Manifest } from './manifest.js';
import { archiveName, carriedFragmentsName } from './object-names.js';

/** A part of an object that is needed, and what it must be. */
export interface DigestedPart {
  readonly offset: number;
  /** Absent for all that follows. */
  readonly length?: number;
  /** SHA-256, hex. */
  readonly digest: string;
}

/** Told of every object once. What it throws ends the walk, unless it says that the object is damaged. */
export interface ObjectVisitor {
  /** A generation or a segment list; it was read from the store that the walk was given, and is whole. */
  index(key: string): Promise<void>;
  /** An object that the walk does not read. */
  content(key: string, parts: readonly DigestedPart[]): Promise<void>;
  /** Something is missing or damaged; the walk goes on with everything else. */
  fault(error: ByocError): void;
}

export interface WalkInput {
  readonly runtime: Runtime;
  readonly dataStore: ReadableObjects;
  readonly manifest: Manifest;
}

/** Throws `STORE_UNAVAILABLE` when the store does not answer, and what the visitor throws. */
export async function walkObjects(input: WalkInput, visitor: ObjectVisitor): Promise<void> {
  await new ObjectWalk(input, visitor).run();
}

/** Throws `STORE_OBJECT_CORRUPT` unless all parts of an object are what they must be. */
export function assertParts(key: string, body: Buffer, parts: readonly DigestedPart[]): void {
  for (const { offset, length, digest } of parts) {
    const part = body.subarray(offset, length === undefined ? body.length : offset + length);
    if (sha256(part).toString('hex') === digest) continue;
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged at byte ${offset}`);
  }
}

/** Whether an error says that a stored object is missing, damaged, or of an unknown format. */
export function isFault(error: unknown): error is ByocError {
  return (
    error instanceof ByocError &&
    ['STORE_OBJECT_MISSING', 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN'].includes(error.code)
  );
}

class ObjectWalk {
  readonly #input: WalkInput;
  readonly #visitor: ObjectVisitor;
  readonly #line: readonly DatabaseId[];
  readonly #seen = new Set<string>();
  /** Segments by the bundle they lie in; one that several generations have counts once. */
  readonly #bundles = new Map<string, Map<string, DigestedPart>>();

  constructor(input: WalkInput, visitor: ObjectVisitor) {
    this.#input = input;
    this.#visitor = visitor;
    this.#line = lineOf(input.manifest);
  }

  async run(): Promise<void> {
    const { manifest } = this.#input;
    if (manifest.collected !== true) {
      await this.#history();
      const { carried } = manifest;
      if (carried) await this.#content(carriedFragmentsName(manifest.id, carried.attempt), carried.digest);
    }
    for (const { generation } of manifest.pins ?? []) await this.#generation(generation);
    for (const [key, parts] of this.#bundles) {
      await this.#noting(async () => this.#visitor.content(key, [...parts.values()]));
    }
  }

  /** From the present generation back to the horizon; of a branch back to where it began. */
  async #history(): Promise<void> {
    const { generation: latest, horizon, parent } = this.#input.manifest;
    const first = Math.max(horizon?.commit ?? 0, parent?.commit ?? 0);
    for (let reference = latest; reference;) {
      const generation = await this.#generation(reference);
      if (!generation || reference.commit <= first) return;
      const { term, number } = reference;
      await this.#content(archiveName(databaseAt(this.#line, reference), term, number), generation.archiveDigest);
      [reference] = generation.earlier;
    }
  }

  /** Undefined when it was walked before, or is damaged. */
  async #generation(reference: GenerationReference): Promise<Generation | undefined> {
    if (this.#seen.has(reference.digest)) return undefined;
    this.#seen.add(reference.digest);
    const { runtime, dataStore } = this.#input;
    return this.#noting(async () => {
      const generation = await readGenerationWithoutKey(runtime, dataStore, this.#line, reference);
      await this.#visitor.index(generationKey(this.#line, reference));
      for (let list = 0; list < listCount(generation); list++)
        await this.#noting(async () => this.#list(generation, list));
      return generation;
    });
  }

  async #list(generation: Generation, list: number): Promise<void> {
    const { runtime, dataStore } = this.#input;
    const segments = await readSegmentList(runtime, dataStore, this.#line, generation, list);
    const own = generation.lists?.[list];
    if (own) await this.#visitor.index(segmentListKey(this.#line, own));
    for (const segment of segments) {
      const [, , , offset, length, digest] = segment;
      const key = segmentBundleKey(this.#line, segment);
      const known = this.#bundles.get(key) ?? new Map<string, DigestedPart>();
      this.#bundles.set(key, known.set(digest, { offset, length, digest }));
    }
  }

  async #content(key: string, digest: string): Promise<void> {
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    await this.#noting(async () => this.#visitor.content(key, [{ offset: 0, digest }]));
  }

  async #noting<T>(look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#visitor.fault(error);
      return undefined;
    }
  }
}
