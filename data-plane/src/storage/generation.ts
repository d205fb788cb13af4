/**
 * A generation: a complete, consistent database image as a list of segments. Unchanged segments are shared with earlier
 * generations; a segment of 128 KiB is sealed on its own and lies in a bundle with the other new segments of the
 * generation that made it.
 *
 * A generation object can be read without the key (a scrub proves a database whole by its digests) but not forged: its
 * proof is sealed under the data key and its place.
 */
import { createHash } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer, SealedPosition } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readWithRetry } from './conditional-write.js';
import { pageBytes } from './fragment.js';
import { generationReferenceSchema, type GenerationReference } from './manifest.js';
import type { DataKeyUse } from './data-key-use.js';
import { generationName, segmentBundleName, segmentListName } from './object-names.js';
import { StoredJson } from './stored-json.js';

export const segmentBytes = 128 * 1024;
export const pagesPerSegment = segmentBytes / pageBytes;
/** A segment list covers this many segments (32 MiB of database). */
export const segmentsPerList = 256;

/**
 * Where a segment lies: [term, generation, bundle, offset, sealed length, SHA-256 of the sealed bytes in hex, number of the
 * data key it is sealed under], and the place in the line of branches of the database it belongs to, unless that is the
 * first.
 */
export type SegmentReference = readonly [
  term: number,
  generation: number,
  bundle: number,
  offset: number,
  length: number,
  digest: string,
  key: number,
  source?: number,
];

/** A list of its own, for databases of more than one list; digest of the object in hex. */
export interface SegmentListReference {
  /** Place in the line of branches of the database it belongs to; absent for the first. */
  readonly source?: number;
  readonly term: number;
  readonly generation: number;
  readonly list: number;
  readonly digest: string;
}

/** All that reading generations needs of a store. */
export type ReadableObjects = Pick<ObjectStore, 'get'>;

export interface Generation {
  readonly database: DatabaseId;
  readonly term: number;
  readonly number: number;
  /** Last commit folded in, and its time. */
  readonly commit: number;
  readonly commitTimeMs: number;
  readonly databasePages: number;
  /** Digest of the last fragment folded in, hex: the next fragment names it as its predecessor. */
  readonly chainDigest: string;
  /** How many generations came before, those of ancestors included. */
  readonly height: number;
  /**
   * A skip list of the generations before: the one this was made from, then, for k = 1, 2, …, the last one whose height
   * is a multiple of 4^k.
   */
  readonly earlier: readonly GenerationReference[];
  /** SHA-256 of the archive with the fragments from the previous generation to this one, hex. */
  readonly archiveDigest: string;
  /** The data keys that its segments and its proof are sealed under. */
  readonly imageKeys: readonly DataKeyUse[];
  /** Those of its archive. */
  readonly archiveKeys: readonly DataKeyUse[];
  /** The segments, when one list holds them all; otherwise `lists`. */
  readonly segments?: readonly SegmentReference[];
  readonly lists?: readonly SegmentListReference[];
}

const count = { type: 'integer', minimum: 0 } as const;
const digestSchema = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const segmentsSchema = {
  type: 'array',
  maxItems: segmentsPerList,
  items: {
    type: 'array',
    items: [count, count, count, count, count, digestSchema, count, count],
    minItems: 7,
    additionalItems: false,
  },
} as const;
const keysSchema = {
  type: 'array',
  items: { type: 'array', items: [count, count], minItems: 2, additionalItems: false },
};

const storedGeneration = new StoredJson<Generation & { proof: string }>('turso-byoc/generation/1', {
  type: 'object',
  properties: {
    database: { type: 'string' },
    term: count,
    number: count,
    commit: count,
    commitTimeMs: count,
    databasePages: count,
    chainDigest: digestSchema,
    height: count,
    earlier: { type: 'array', items: generationReferenceSchema },
    archiveDigest: digestSchema,
    imageKeys: keysSchema,
    archiveKeys: keysSchema,
    segments: segmentsSchema,
    lists: {
      type: 'array',
      items: {
        type: 'object',
        properties: { source: count, term: count, generation: count, list: count, digest: digestSchema },
        required: ['term', 'generation', 'list', 'digest'],
        additionalProperties: false,
      },
    },
    proof: { type: 'string', maxLength: 256 },
  },
  required: [
    'database',
    'term',
    'number',
    'commit',
    'commitTimeMs',
    'databasePages',
    'chainDigest',
    'height',
    'earlier',
    'archiveDigest',
    'imageKeys',
    'archiveKeys',
    'proof',
  ],
  additionalProperties: false,
});

const storedSegmentList = new StoredJson<{ segments: readonly SegmentReference[] }>('turso-byoc/segment-list/1', {
  type: 'object',
  properties: { segments: segmentsSchema },
  required: ['segments'],
  additionalProperties: false,
});

const proofPosition = (term: number, number: number): SealedPosition => ({
  kind: 'generation',
  term,
  numbers: [number],
});

export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export function encodeGeneration(sealer: Sealer, generation: Generation): Buffer {
  const proof = sealer.seal(
    proofPosition(generation.term, generation.number),
    sha256(Buffer.from(JSON.stringify(generation))),
  );
  return storedGeneration.encode({ ...generation, proof: proof.toString('base64') });
}

export function encodeSegmentList(segments: readonly SegmentReference[]): Buffer {
  return storedSegmentList.encode({ segments });
}

/**
 * Reads a generation of a line of branches and proves it: right digest, right database, sealed under that database's
 * key. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`.
 */
export async function readGeneration(
  runtime: Runtime,
  store: ObjectStore,
  sealer: Sealer,
  reference: GenerationReference,
): Promise<Generation> {
  const { key, generation, proof } = await readStored(runtime, store, sealer.line, reference);
  const source = sealer.at(reference.source ?? 0, `object ${key}`);
  const proved = source.open(proofPosition(reference.term, reference.number), Buffer.from(proof, 'base64'), key);
  if (!proved.equals(sha256(Buffer.from(JSON.stringify(generation))))) throw notTheNamed(key);
  return generation;
}

/** The same without the key: what is read is what the reference's digest names, and that is all that is known of it. */
export async function readGenerationWithoutKey(
  runtime: Runtime,
  store: ReadableObjects,
  line: readonly DatabaseId[],
  reference: GenerationReference,
): Promise<Generation> {
  return (await readStored(runtime, store, line, reference)).generation;
}

async function readStored(
  runtime: Runtime,
  store: ReadableObjects,
  line: readonly DatabaseId[],
  reference: GenerationReference,
): Promise<{ key: string; generation: Generation; proof: string }> {
  const database = databaseAt(line, reference);
  const key = generationName(database, reference.term, reference.number);
  const bytes = await readDigested(runtime, store, key, reference.digest);
  const { proof, ...generation } = storedGeneration.decode(key, bytes);
  if (
    generation.database !== database ||
    generation.term !== reference.term ||
    generation.number !== reference.number ||
    generation.commit !== reference.commit ||
    generation.commitTimeMs !== reference.commitTimeMs
  ) {
    throw notTheNamed(key);
  }
  return { key, generation, proof };
}

function notTheNamed(key: string): ByocError {
  return new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is not the generation that the manifest names`);
}

/** Name of the generation object that a reference names. */
export function generationKey(line: readonly DatabaseId[], reference: GenerationReference): string {
  return generationName(databaseAt(line, reference), reference.term, reference.number);
}

/** The database that a reference names. Throws `STORE_OBJECT_CORRUPT` when the line has none at its place. */
export function databaseAt(line: readonly DatabaseId[], { source = 0 }: { readonly source?: number }): DatabaseId {
  const database = line[source];
  if (database) return database;
  throw new ByocError('STORE_OBJECT_CORRUPT', `a reference names ancestor ${source} in a line of ${line.length}`);
}

export function segmentListKey(line: readonly DatabaseId[], reference: SegmentListReference): string {
  return segmentListName(databaseAt(line, reference), reference.term, reference.generation, reference.list);
}

/** The key of the bundle that a segment lies in. */
export function segmentBundleKey(line: readonly DatabaseId[], reference: SegmentReference): string {
  const [term, generation, bundle, , , , , source = 0] = reference;
  return segmentBundleName(databaseAt(line, { source }), term, generation, bundle);
}

/** The segments of one list of a generation, in order. `list` counts from 0. */
export async function readSegmentList(
  runtime: Runtime,
  store: ReadableObjects,
  line: readonly DatabaseId[],
  generation: Generation,
  list: number,
): Promise<readonly SegmentReference[]> {
  if (generation.segments) return list === 0 ? generation.segments : [];
  const reference = generation.lists?.[list];
  if (!reference) return [];
  const key = segmentListKey(line, reference);
  return storedSegmentList.decode(key, await readDigested(runtime, store, key, reference.digest)).segments;
}

/** Lists that a generation has. */
export function listCount(generation: Generation): number {
  return generation.segments ? 1 : (generation.lists?.length ?? 0);
}

/** Segments that a database of `pages` pages has. */
export function segmentCount(pages: number): number {
  return Math.ceil(pages / pagesPerSegment);
}

/** Plaintext bytes of one segment of a database of `pages` pages; only the last one is shorter. */
export function segmentLength(pages: number, segment: number): number {
  return Math.min(segmentBytes, pages * pageBytes - segment * segmentBytes);
}

async function readDigested(runtime: Runtime, store: ReadableObjects, key: string, digest: string): Promise<Buffer> {
  const object = await readWithRetry(runtime, key, () => store.get(key));
  if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  if (sha256(object.body).toString('hex') !== digest) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} does not match the digest that names it`);
  }
  return object.body;
}
