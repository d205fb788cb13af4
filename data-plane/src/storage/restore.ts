/**
 * Restore: writes a database file that holds exactly the generation and tail that a manifest names. The file never
 * existed before; nothing that lies on the local disk is ever believed.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { emptyDatabaseImage } from './empty-database.js';
import { chainStart, forEachPage, pageBytes } from './fragment.js';
import {
  readGeneration,
  readSegmentList,
  segmentBytes,
  segmentCount,
  segmentLength,
  segmentsPerList,
  type Generation,
} from './generation.js';
import type { LogRange } from './log-location.js';
import type { GenerationReference } from './manifest.js';
import { readSegmentRun, segmentRuns } from './segments.js';
import { readTail, type ChainPoint } from './tail.js';
import { writeFully } from './write-fully.js';

export interface RestoreInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: ObjectStore;
  readonly sealer: Sealer;
  readonly database: DatabaseId;
  readonly reservedBytes: number;
  readonly generation: GenerationReference | undefined;
  /** Everything logged since the generation; what it already holds is passed over. */
  readonly ranges: readonly LogRange[];
}

export interface RestoredDatabase extends ChainPoint {
  readonly databasePages: number;
  /** Bytes of commits applied on top of the generation. */
  readonly tailBytes: number;
  readonly generation: Generation | undefined;
}

const parallelRuns = 8;

/** Creates the file at `path`. Throws `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT`, `LOCAL_DISK_FULL` (as ENOSPC). */
export async function restore(path: string, input: RestoreInput): Promise<RestoredDatabase> {
  const { runtime, dataStore, sealer, database } = input;
  const file = await open(path, 'wx', 0o600);
  try {
    const generation =
      input.generation && (await readGeneration(runtime, dataStore, sealer, database, input.generation));
    if (generation) await writeSegments(file, input, generation);
    else await writeFully(file, emptyDatabaseImage(input.reservedBytes), 0);

    const from = chainPoint(generation);
    let point = from;
    let databasePages = generation?.databasePages ?? 1;
    let tailBytes = 0;
    for await (const { bytes, commits, after } of readTail(runtime, input, sealer, database, from, input.ranges)) {
      for (const commit of commits) {
        // A page that was cut off is gone: when the database grows again it is empty, whatever was folded in between.
        if (commit.databasePages < databasePages) await file.truncate(commit.databasePages * pageBytes);
        databasePages = commit.databasePages;
        const writes: Promise<void>[] = [];
        forEachPage(commit, (page, content) => {
          if (page <= commit.databasePages) writes.push(writeFully(file, content, (page - 1) * pageBytes));
        });
        await Promise.all(writes);
      }
      tailBytes += bytes.length;
      point = after;
    }
    await file.truncate(databasePages * pageBytes);
    return { ...point, databasePages, tailBytes, generation };
  } finally {
    await file.close();
  }
}

/** The point in the commit chain that a generation (or, without one, the empty database) stands for. */
export function chainPoint(generation: Generation | undefined): ChainPoint {
  if (!generation) return { commit: 0, commitTimeMs: 0, chainDigest: chainStart };
  const { commit, commitTimeMs, chainDigest } = generation;
  return { commit, commitTimeMs, chainDigest: Buffer.from(chainDigest, 'hex') };
}

async function writeSegments(file: FileHandle, input: RestoreInput, generation: Generation): Promise<void> {
  const { runtime, dataStore, sealer, database } = input;
  const { databasePages, term, number } = generation;
  const listCount = generation.segments ? 1 : (generation.lists?.length ?? 0);
  let segmentsSeen = 0;
  for (let list = 0; list < listCount; list++) {
    const references = await readSegmentList(runtime, dataStore, generation, list);
    segmentsSeen += references.length;
    const runs = segmentRuns(references, list * segmentsPerList);
    const workers = Array.from({ length: Math.min(parallelRuns, runs.length) }, async () => {
      for (let run = runs.pop(); run; run = runs.pop()) {
        const segments = await readSegmentRun(runtime, dataStore, sealer, database, run);
        for (const [index, plaintext] of segments.entries()) {
          const segment = run.firstSegment + index;
          if (plaintext.length !== segmentLength(databasePages, segment)) throw incomplete();
          await writeFully(file, plaintext, segment * segmentBytes);
        }
      }
    });
    await Promise.all(workers);
  }
  if (segmentsSeen !== segmentCount(databasePages)) throw incomplete();

  function incomplete(): ByocError {
    const what = `generation ${number} of term ${term} of database ${database}`;
    return new ByocError('STORE_OBJECT_CORRUPT', `${what} does not have the segments of ${databasePages} pages`);
  }
}
