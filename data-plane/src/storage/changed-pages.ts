/** Which pages of a database differ between a commit and a later snapshot, found without reading what lies between. */
import { readPageIndex } from './archive.js';
import type { DatabaseSnapshot } from './database-snapshot.js';
import {
  listCount,
  pagesPerSegment,
  readGeneration,
  readSegmentList,
  segmentsPerList,
  type Generation,
  type SegmentReference,
} from './generation.js';
import { findPlace } from './history.js';
import type { GenerationReference } from './manifest.js';
import type { PageSet } from './page-set.js';
import { earliestMoment, type HistoryInput } from './restore-point.js';

/** A commit of a database's history, by its number and, since a restored backup may have gone another way, by its time. */
export interface CommitPoint {
  readonly commit: number;
  readonly commitTimeMs: number;
}

/** Beyond so many generations their segments are compared instead, which may name pages that are the same. */
const mostIndexes = 64;

/**
 * The pages of `snapshot` that may have changed after `since`; all that have are among them. Undefined when the history
 * does not go back so far, or has no such commit. Throws `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT`.
 */
export async function changedPages(
  input: HistoryInput,
  since: CommitPoint,
  snapshot: DatabaseSnapshot,
): Promise<PageSet | undefined> {
  const written = snapshot.writtenPages();
  if (since.commit >= snapshot.changesKnownFrom) return written;
  const { manifest, runtime, dataStore, sealer } = input;
  if (since.commit < earliestMoment(manifest).commit) return undefined;
  const read = async (reference: GenerationReference): Promise<Generation> =>
    readGeneration(runtime, dataStore, sealer, reference);
  let least = snapshot.databasePages;
  let reference = snapshot.base;
  for (let indexes = 0; reference && reference.commit > since.commit; indexes++) {
    if (indexes === mostIndexes) return addDifferentSegments(input, since.commit, snapshot, written);
    for (const commit of await readPageIndex(runtime, dataStore, sealer, reference)) {
      if (commit.number <= since.commit) continue;
      least = Math.min(least, commit.databasePages);
      for (const page of commit.pages) written.add(page);
    }
    [reference] = (await read(reference)).earlier;
  }
  // What was cut off in between and came again is empty, or was written.
  return written.addRange(least + 1, snapshot.databasePages);
}

async function addDifferentSegments(
  { runtime, dataStore, sealer, manifest }: HistoryInput,
  since: number,
  snapshot: DatabaseSnapshot,
  written: PageSet,
): Promise<PageSet> {
  const read = async (reference: GenerationReference): Promise<Generation> =>
    readGeneration(runtime, dataStore, sealer, reference);
  const { base } = await findPlace(manifest.generation, ({ commit }) => commit > since, read);
  const [before, after] = await Promise.all([base && read(base), snapshot.base && read(snapshot.base)]);
  if (!before || !after) return written.addRange(1, snapshot.databasePages);
  for (let list = 0; list < listCount(after); list++) {
    if (before.lists && after.lists && before.lists[list]?.digest === after.lists[list]?.digest) continue;
    const [old, now] = await Promise.all(
      [before, after].map(async (generation) => readSegmentList(runtime, dataStore, sealer.line, generation, list)),
    );
    now?.forEach((reference, index) => {
      if (isSame(reference, old?.[index])) return;
      const first = (list * segmentsPerList + index) * pagesPerSegment + 1;
      written.addRange(first, first + pagesPerSegment - 1);
    });
  }
  return written;
}

function isSame([term, generation, bundle, offset, , digest]: SegmentReference, other?: SegmentReference): boolean {
  return (
    other !== undefined &&
    other[0] === term &&
    other[1] === generation &&
    other[2] === bundle &&
    other[3] === offset &&
    other[5] === digest
  );
}

/** When a commit was made; undefined when the history does not go back so far, or not so far yet. */
export async function commitTime(input: HistoryInput, commit: number): Promise<number | undefined> {
  const { manifest, runtime, dataStore, sealer } = input;
  if (commit === 0) return 0;
  if (commit < earliestMoment(manifest).commit) return undefined;
  const { base, next } = await findPlace(
    manifest.generation,
    (reference) => reference.commit > commit,
    async (reference) => readGeneration(runtime, dataStore, sealer, reference),
  );
  if (base?.commit === commit) return base.commitTimeMs;
  if (!next) return undefined;
  const index = await readPageIndex(runtime, dataStore, sealer, next.reference);
  return index.find(({ number }) => number === commit)?.timeMs;
}
