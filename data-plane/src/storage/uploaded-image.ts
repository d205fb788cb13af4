/**
 * The first generation of a database that begins as an uploaded file. Its segments are sealed and stored while the file
 * comes, chunk by chunk, each chunk as the bundle of its number; the generation that names them is stored last. Until a
 * manifest names that, nothing of it is ever read as the database's content.
 *
 * Invariant: a bundle is created once. A chunk that is sent again is compared with what is stored of it, so that one upload
 * has one content however often, and through however many nodes, its chunks were sent.
 */
import { ByocError } from '../errors/catalogue.js';
import { dataKeyNumberOf, sealingOverheadBytes, type Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { encodeArchive } from './archive.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { DataKeysUsed } from './data-key-use.js';
import { chainStart, pageBytes } from './fragment.js';
import {
  encodeGeneration,
  readGeneration,
  segmentBytes,
  segmentsPerList,
  sha256,
  type Generation,
  type SegmentReference,
} from './generation.js';
import { hashing } from './long-buffers.js';
import type { GenerationReference } from './manifest.js';
import { archiveName, generationName, segmentBundleName } from './object-names.js';
import { storeSegmentLists } from './segment-lists.js';
import { segmentPosition } from './segments.js';

const segmentsPerChunk = 32;
/** 4 MiB. */
export const uploadChunkBytes = segmentsPerChunk * segmentBytes;

/** Where the segments of an upload are stored, and under which keys. */
export interface UploadedImage {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly term: number;
  readonly number: number;
  readonly sizeBytes: number;
}

export function chunkCount(sizeBytes: number): number {
  return Math.ceil(sizeBytes / uploadChunkBytes);
}

/** Bytes of a chunk; only the last one is shorter. */
export function chunkLength(sizeBytes: number, chunk: number): number {
  return Math.min(uploadChunkBytes, sizeBytes - chunk * uploadChunkBytes);
}

/** Stores a chunk. Throws `UPLOAD_CONFLICT` when another content of it is stored, and the errors of the store. */
export async function storeChunk(image: UploadedImage, chunk: number, content: Buffer): Promise<void> {
  const { runtime, store, sealer, term, number } = image;
  const turns = new Turns(runtime, 'background');
  const count = Math.ceil(content.length / segmentBytes);
  const sealed = Buffer.allocUnsafe(content.length + count * sealingOverheadBytes);
  for (let index = 0; index < count; index++) {
    const start = index * segmentBytes;
    const position = segmentPosition(term, number, chunk * segmentsPerChunk + index);
    const part = content.subarray(start, start + segmentBytes);
    await turns.run(sealer.sealInto(sealed, start + index * sealingOverheadBytes, position, [part]));
  }
  const key = segmentBundleName(sealer.database, term, number, chunk);
  const written = await conditionalWrite(runtime, store, key, sealed, { ifAbsent: true });
  if (written.won) return;
  const stored = await readChunk(image, chunk);
  if (stored && Buffer.concat(stored.segments.map(({ content: part }) => part)).equals(content)) return;
  throw new ByocError('UPLOAD_CONFLICT', `chunk ${chunk} was uploaded before, with another content`);
}

export interface StoredChunk {
  readonly segments: readonly { readonly reference: SegmentReference; readonly content: Buffer }[];
}

/** A stored chunk; undefined when there is none. Throws `STORE_OBJECT_CORRUPT`, `STORE_UNAVAILABLE`. */
export async function readChunk(image: UploadedImage, chunk: number): Promise<StoredChunk | undefined> {
  const { runtime, store, sealer, term, number, sizeBytes } = image;
  const key = segmentBundleName(sealer.database, term, number, chunk);
  const object = await readWithRetry(runtime, key, () => store.get(key));
  if (!object) return undefined;
  const turns = new Turns(runtime, 'background');
  const segments: { reference: SegmentReference; content: Buffer }[] = [];
  const length = chunkLength(sizeBytes, chunk);
  let offset = 0;
  for (let start = 0; start < length; start += segmentBytes) {
    const sealedLength = Math.min(segmentBytes, length - start) + sealingOverheadBytes;
    const sealed = object.body.subarray(offset, offset + sealedLength);
    if (sealed.length < sealedLength) throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is truncated`);
    const position = segmentPosition(term, number, chunk * segmentsPerChunk + segments.length);
    const content = await turns.run(sealer.opening(position, sealed, key));
    const digest = (await turns.run(hashing(sealed))).toString('hex');
    const reference = [term, number, chunk, offset, sealedLength, digest, dataKeyNumberOf(sealed)] as const;
    segments.push({ reference, content });
    offset += sealedLength;
  }
  return { segments };
}

/**
 * Stores the generation whose segments, all of them and in order, are given; nothing refers to it until the manifest does.
 * One that an attempt before stored, which did not get so far, is taken as it is.
 */
export async function storeUploadedGeneration(
  image: UploadedImage,
  segments: readonly SegmentReference[],
  commitTimeMs: number,
): Promise<{ reference: GenerationReference; generation: Generation }> {
  const { runtime, store, sealer, term, number, sizeBytes } = image;
  const { database } = sealer;
  const turns = new Turns(runtime, 'background');
  // Nothing led here: the archive is empty, and the chain begins after this.
  const archive = await turns.run(encodeArchive(sealer, term, number, []));
  const archiveDigest = await digestOfStored(image, archiveName(database, term, number), archive);
  const lists: SegmentReference[][] = [];
  for (let start = 0; start < segments.length; start += segmentsPerList) {
    lists.push(segments.slice(start, start + segmentsPerList));
  }
  const placed = await storeSegmentLists(image, lists);
  const generation: Generation = {
    database,
    term,
    number,
    commit: 0,
    commitTimeMs,
    databasePages: sizeBytes / pageBytes,
    chainDigest: chainStart.toString('hex'),
    height: 0,
    earlier: [],
    archiveDigest,
    imageKeys: new DataKeysUsed().addSegments(segments).add(0, sealer.currentKey).list(),
    archiveKeys: [[0, sealer.currentKey]],
    ...placed,
  };
  const key = generationName(database, term, number);
  const digest = await digestOfStored(image, key, encodeGeneration(sealer, generation));
  const reference = { term, number, digest, commit: 0, commitTimeMs };
  return { reference, generation: await readGeneration(runtime, store, sealer, reference) };
}

/** SHA-256, in hex, of what is stored under a name from now on: these bytes, or those of an earlier attempt. */
async function digestOfStored({ runtime, store }: UploadedImage, key: string, bytes: Buffer): Promise<string> {
  const written = await conditionalWrite(runtime, store, key, bytes, { ifAbsent: true });
  const stored = written.won ? bytes : written.current?.body;
  if (!stored) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  return sha256(stored).toString('hex');
}
