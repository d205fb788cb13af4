/**
 * Folding: makes the next generation from the one before and the fragments that follow it. It works on stored bytes
 * only and needs no engine, so a database is checkpointed while it is written, while it is closed, or by a successor;
 * only the segments that changed pages lie in are read and written, and some that are sealed under another than the
 * current data key, when that is asked for.
 */
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns, type Work } from '../turns.js';
import { encodeArchive } from './archive.js';
import { writeOnce } from './conditional-write.js';
import { DataKeysUsed } from './data-key-use.js';
import { commitBytes, forEachPage, pageBytes } from './fragment.js';
import {
  encodeGeneration,
  pagesPerSegment,
  readSegmentList,
  segmentBytes,
  segmentCount,
  segmentLength,
  segmentsPerList,
  sha256,
  type Generation,
  type SegmentReference,
} from './generation.js';
import { hashing } from './long-buffers.js';
import type { GenerationReference } from './manifest.js';
import { archiveName, generationName } from './object-names.js';
import { BaseSegments } from './base-segments.js';
import { storeSegmentLists } from './segment-lists.js';
import { SegmentWriter } from './segments.js';
import type { TailFragment } from './fragment-chain.js';
import { earlierGenerations } from './history.js';

export interface FoldInput {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly reservedBytes: number;
  /** The generation to start from; absent for a database that has none yet. */
  readonly base?: { readonly reference: GenerationReference; readonly generation: Generation };
  /** Term of the owner, and a generation number that was never used under it. */
  readonly term: number;
  readonly number: number;
  /** The fragments that follow the base; at least one, or a base. */
  readonly fragments: readonly TailFragment[];
  /** About so many bytes of segments that are not sealed under the current data key are sealed anew. @default none */
  readonly resealBytes?: number;
}

/** Stores the new generation and everything it needs; nothing refers to it until the manifest does. */
export async function fold(input: FoldInput): Promise<{ reference: GenerationReference; generation: Generation }> {
  const { runtime, store, sealer, base, term, number, fragments } = input;
  const { database, source } = sealer;
  const end = endOf(input);
  const turns = new Turns(runtime, 'background');
  const archiveKeys = new DataKeysUsed().add(source, sealer.currentKey);
  for (const fragment of fragments) archiveKeys.addFragment(sealer.line, fragment);
  const archive = await turns.run(encodeArchive(sealer, term, number, fragments));
  const archiveDigest = (await turns.run(hashing(archive))).toString('hex');
  const archiveWritten = writeOnce(runtime, store, archiveName(database, term, number), archive);
  const [{ imageKeys, ...placed }] = await Promise.all([foldSegments(input, end.databasePages), archiveWritten]);

  const generation: Generation = {
    database,
    term,
    number,
    ...end,
    height: base ? base.generation.height + 1 : 0,
    earlier: base ? earlierGenerations(base.reference, base.generation) : [],
    archiveDigest,
    // In one step with the proof, which is sealed next.
    imageKeys: imageKeys.add(source, sealer.currentKey).list(),
    archiveKeys: archiveKeys.list(),
    ...placed,
  };
  const bytes = encodeGeneration(sealer, generation);
  await writeOnce(runtime, store, generationName(database, term, number), bytes);
  const digest = sha256(bytes).toString('hex');
  const { commit, commitTimeMs } = generation;
  return {
    reference: { ...(source > 0 && { source }), term, number, digest, commit, commitTimeMs },
    generation,
  };
}

/** What the new generation is the image of. */
function endOf({
  base,
  fragments,
}: FoldInput): Pick<Generation, 'commit' | 'commitTimeMs' | 'databasePages' | 'chainDigest'> {
  const last = fragments.at(-1);
  const lastCommit = last?.commits.at(-1);
  if (last && lastCommit) {
    const { commit, commitTimeMs, chainDigest } = last.after;
    const { databasePages } = lastCommit;
    return { commit, commitTimeMs, databasePages, chainDigest: chainDigest.toString('hex') };
  }
  if (!base) throw new Error('nothing to fold');
  const { commit, commitTimeMs, databasePages, chainDigest } = base.generation;
  return { commit, commitTimeMs, databasePages, chainDigest };
}

async function foldSegments(
  input: FoldInput,
  pages: number,
): Promise<Pick<Generation, 'segments' | 'lists'> & { imageKeys: DataKeysUsed }> {
  const { runtime, store, sealer, base, term, number } = input;
  const { source } = sealer;
  const basePages = base?.generation.databasePages ?? 1;
  const turns = new Turns(runtime, 'background');
  const { dirty, keptPages } = await turns.run(latestPages(input.fragments, basePages));
  const writer = new SegmentWriter(runtime, store, sealer, term, number);
  const total = segmentCount(pages);
  const listCount = Math.ceil(total / segmentsPerList);
  const unchanged: (readonly SegmentReference[])[] = [];
  const { resealBytes = 0 } = input;
  const currentKey = sealer.currentKey;
  let resealed = 0;

  for (let list = 0; list < listCount; list++) {
    const first = list * segmentsPerList;
    const end = Math.min(first + segmentsPerList, total);
    const old = base ? await readSegmentList(runtime, store, sealer.line, base.generation, list) : [];
    unchanged.push(old);
    const baseImage = new BaseSegments(input, old, first);
    for (let segment = first; segment < end; segment++) {
      const changed = dirty.get(segment);
      const length = segmentLength(pages, segment);
      const keptBytes = Math.max(0, segmentLength(keptPages, segment));
      const reference = old[segment - first];
      const isSame = !changed && reference && length === segmentLength(basePages, segment) && length === keptBytes;
      if (isSame) {
        const isSealedSo = reference[6] === currentKey && (reference[7] ?? 0) === source;
        if (isSealedSo || resealed >= resealBytes) continue;
        resealed += length;
      }
      await turns.spent(length);
      const plaintext = Buffer.alloc(length);
      if (keptBytes > 0 && (!changed || changed.size < length / pageBytes)) {
        // Neighbours of what is sealed anew are most often sealed anew next.
        (await baseImage.read(segment, isSame === true)).copy(plaintext, 0, 0, keptBytes);
      }
      changed?.forEach((content, page) => plaintext.set(content, (page - 1) * pageBytes - segment * segmentBytes));
      await writer.add(segment, plaintext);
    }
  }

  const written = await writer.finish();
  const lists = Array.from({ length: listCount }, (_, list) => {
    const first = list * segmentsPerList;
    const size = Math.min(segmentsPerList, total - first);
    return Array.from(
      { length: size },
      (_, index) => written.get(first + index) ?? (unchanged[list]?.[index] as SegmentReference),
    );
  });
  const imageKeys = new DataKeysUsed();
  for (const segments of lists) imageKeys.addSegments(segments);
  const placed = await storeSegmentLists(input, lists, (list) => {
    const before = base?.generation.lists?.[list];
    const isSame =
      unchanged[list]?.length === lists[list]?.length &&
      lists[list]?.every((segment, index) => segment === unchanged[list]?.[index]) === true;
    return isSame ? before : undefined;
  });
  return { ...placed, imageKeys };
}

/**
 * The last content of every changed page, by segment, and how many pages of the base were never cut off: a page that was
 * is gone, and empty when the database grows again.
 */
function* latestPages(
  fragments: readonly TailFragment[],
  basePages: number,
): Work<{ dirty: Map<number, Map<number, Uint8Array>>; keptPages: number }> {
  const dirty = new Map<number, Map<number, Uint8Array>>();
  let keptPages = basePages;
  let databasePages = basePages;
  for (const commit of fragments.flatMap(({ commits }) => commits)) {
    if (commit.databasePages < databasePages) cutOff(dirty, commit.databasePages);
    databasePages = commit.databasePages;
    keptPages = Math.min(keptPages, databasePages);
    forEachPage(commit, (page, content) => {
      if (page > commit.databasePages) return;
      const segment = Math.floor((page - 1) / pagesPerSegment);
      const changed = dirty.get(segment);
      if (changed) changed.set(page, content);
      else dirty.set(segment, new Map([[page, content]]));
    });
    yield commitBytes(commit) >> 3;
  }
  return { dirty, keptPages };
}

function cutOff(dirty: Map<number, Map<number, Uint8Array>>, databasePages: number): void {
  for (const [segment, changed] of dirty) {
    for (const page of changed.keys()) if (page > databasePages) changed.delete(page);
    if (changed.size === 0) dirty.delete(segment);
  }
}
