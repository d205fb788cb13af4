/**
 * Restore: fills a new file with exactly the generation and tail that a manifest names. Nothing that lay on the local disk
 * is ever believed.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { emptyDatabaseImage } from './empty-database.js';
import { chainStart, forEachPage, pageBytes, type Commit } from './fragment.js';
import { openingFragment, type ChainPoint, type SealedFragment } from './fragment-chain.js';
import {
  listCount,
  readGeneration,
  readSegmentList,
  segmentBytes,
  segmentCount,
  segmentLength,
  segmentsPerList,
  type Generation,
  type SegmentReference,
} from './generation.js';
import type { LogRange } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';
import type { CarriedFragments, GenerationReference } from './manifest.js';
import { isBeyond, type Moment } from './moment.js';
import type { RestoredFile } from './restored-file.js';
import { SegmentReader, segmentRuns, type SegmentRun } from './segments.js';
import { readUnfolded } from './unfolded.js';

export interface RestoreInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  readonly sealer: Sealer;
  readonly reservedBytes: number;
  readonly generation: GenerationReference | undefined;
  readonly carried?: CarriedFragments | undefined;
  /** Everything logged since the generation; what it already holds is passed over. */
  readonly ranges: readonly LogRange[];
}

export interface RestoredDatabase extends ChainPoint {
  readonly databasePages: number;
  /** Bytes of commits applied on top of the generation. */
  readonly tailBytes: number;
  readonly generation: Generation | undefined;
}

/** Runs of segments on their way at once, most of them being read, and segment lists. */
const parallelRuns = 12;
const listsAhead = 8;
const mostPagesAtOnce = 64;

/** Fills `file`, which is empty, and closes it. Throws `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT` and the errors of the file. */
export async function restore(file: RestoredFile, input: RestoreInput): Promise<RestoredDatabase> {
  const line = input.sealer.line;
  return rebuild(file, input, input.generation, (from) => readUnfolded({ ...input, line }, from));
}

/**
 * Fills `file` with a generation and the commits that follow it, up to the last one that is not beyond a moment, and
 * closes it. Where the end lies within a fragment, the result's chain digest is that of the fragment before.
 */
export async function rebuild(
  file: RestoredFile,
  input: Pick<RestoreInput, 'runtime' | 'dataStore' | 'sealer' | 'reservedBytes'>,
  base: GenerationReference | undefined,
  fragmentsAfter: (from: ChainPoint) => AsyncIterable<SealedFragment>,
  until?: Moment,
): Promise<RestoredDatabase> {
  const { runtime, dataStore, sealer } = input;
  try {
    const generation = base && (await readGeneration(runtime, dataStore, sealer, base));
    const from = chainPoint(generation);
    // The first fragments are on their way while the segments come.
    const fragments = begun(fragmentsAfter(from));
    if (generation) await writeSegments(file, input, generation);
    else await file.write([emptyDatabaseImage(input.reservedBytes)], 0);

    const turns = new Turns(runtime, 'background');
    let point = from;
    let databasePages = generation?.databasePages ?? 1;
    let tailBytes = 0;
    const end = (): RestoredDatabase => ({ ...point, databasePages, tailBytes, generation });
    for await (const fragment of fragments) {
      const { bytes, commits, after } = await turns.run(openingFragment(sealer, fragment));
      for (const commit of commits) {
        if (until && isBeyond(until, commit.number, commit.timeMs)) {
          await file.truncate(databasePages * pageBytes);
          return end();
        }
        // A page that was cut off is gone: when the database grows again it is empty, whatever was folded in between.
        if (commit.databasePages < databasePages) await file.truncate(commit.databasePages * pageBytes);
        databasePages = commit.databasePages;
        await writePages(file, commit);
        point = { ...point, commit: commit.number, commitTimeMs: commit.timeMs };
      }
      tailBytes += bytes.length;
      point = after;
    }
    await file.truncate(databasePages * pageBytes);
    return end();
  } finally {
    await file.close();
  }
}

/** Writes the pages of a commit; those that follow each other in the file with one write for many. */
async function writePages(file: RestoredFile, commit: Commit): Promise<void> {
  const writes: Promise<void>[] = [];
  let run: Uint8Array[] = [];
  let firstPage = 0;
  const flush = (): void => {
    if (run.length > 0) writes.push(file.write(run, (firstPage - 1) * pageBytes));
    run = [];
  };
  forEachPage(commit, (page, content) => {
    if (page > commit.databasePages) return;
    if (page !== firstPage + run.length || run.length === mostPagesAtOnce) {
      flush();
      firstPage = page;
    }
    run.push(content);
  });
  flush();
  await Promise.all(writes);
}

/** The same in order, the first one already asked for. */
function begun<T>(source: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<T>> | undefined = iterator.next();
  // Whoever takes it hears of a failure; nobody may, when something else failed before.
  first.catch(() => undefined);
  const next = async (): Promise<IteratorResult<T>> => {
    const asked = first ?? iterator.next();
    first = undefined;
    return asked;
  };
  const end = async (): Promise<IteratorResult<T>> => {
    await iterator.return?.();
    return { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
}

/** The point in the commit chain that a generation (or, without one, the empty database) stands for. */
export function chainPoint(generation: Generation | undefined): ChainPoint {
  if (!generation) return { commit: 0, commitTimeMs: 0, chainDigest: chainStart };
  const { commit, commitTimeMs, chainDigest } = generation;
  return { commit, commitTimeMs, chainDigest: Buffer.from(chainDigest, 'hex') };
}

async function writeSegments(
  file: RestoredFile,
  { runtime, dataStore, sealer }: Pick<RestoreInput, 'runtime' | 'dataStore' | 'sealer'>,
  generation: Generation,
): Promise<void> {
  const { database, databasePages, term, number } = generation;
  const reader = new SegmentReader(runtime, dataStore, sealer);
  const runs = runsOf(generation, async (list) => readSegmentList(runtime, dataStore, sealer.line, generation, list));
  let segmentsSeen = 0;
  const workers = Array.from({ length: parallelRuns }, async () => {
    for (let next = await runs.next(); next.done !== true; next = await runs.next()) {
      const { firstSegment } = next.value;
      const segments = await reader.read(next.value);
      for (const [index, plaintext] of segments.entries()) {
        if (plaintext.length !== segmentLength(databasePages, firstSegment + index)) throw incomplete();
      }
      segmentsSeen += segments.length;
      await file.write(segments, firstSegment * segmentBytes);
    }
  });
  await Promise.all(workers);
  if (segmentsSeen !== segmentCount(databasePages)) throw incomplete();

  function incomplete(): ByocError {
    const what = `generation ${number} of term ${term} of database ${database}`;
    return new ByocError('STORE_OBJECT_CORRUPT', `${what} does not have the segments of ${databasePages} pages`);
  }
}

/** All runs of a generation, in order; some lists are on their way while those before are used. */
export async function* runsOf(
  generation: Generation,
  read: (list: number) => Promise<readonly SegmentReference[]>,
): AsyncGenerator<SegmentRun> {
  const lists = listCount(generation);
  const ahead: Promise<readonly SegmentReference[]>[] = [];
  for (let list = 0; list < lists; list++) {
    while (ahead.length < listsAhead && list + ahead.length < lists) {
      const reading = read(list + ahead.length);
      // Thrown where it is awaited; what failed before may come first.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    yield* segmentRuns((await ahead.shift()) ?? [], list * segmentsPerList);
  }
}
