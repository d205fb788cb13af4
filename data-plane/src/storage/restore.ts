/**
 * Restore: writes a database file that holds exactly the generation and tail that a manifest names. The file never
 * existed before; nothing that lies on the local disk is ever believed.
 */
import { open, type FileHandle } from 'node:fs/promises';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { emptyDatabaseImage } from './empty-database.js';
import { chainStart, forEachPage, pageBytes } from './fragment.js';
import { readGeneration, readSegmentList, segmentBytes, segmentsPerList, type Generation } from './generation.js';
import type { LogRange } from './log-location.js';
import type { GenerationReference } from './manifest.js';
import { readSegmentRun, segmentRuns } from './segments.js';
import { readTail, type ChainPoint } from './tail.js';

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
  const { runtime, dataStore, logStore, sealer, database } = input;
  const file = await open(path, 'wx', 0o600);
  try {
    const generation =
      input.generation && (await readGeneration(runtime, dataStore, sealer, database, input.generation));
    if (generation) await writeSegments(file, input, generation);
    else await file.write(emptyDatabaseImage(input.reservedBytes), 0, pageBytes, 0);

    const from = chainPoint(generation);
    let point = from;
    let databasePages = generation?.databasePages ?? 1;
    let tailBytes = 0;
    for await (const { bytes, commits, after } of readTail(runtime, logStore, sealer, database, from, input.ranges)) {
      for (const commit of commits) {
        const writes: Promise<unknown>[] = [];
        forEachPage(commit, (page, content) => {
          writes.push(file.write(content, 0, pageBytes, (page - 1) * pageBytes));
        });
        await Promise.all(writes);
        databasePages = commit.databasePages;
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
  const listCount = generation.segments ? 1 : (generation.lists?.length ?? 0);
  for (let list = 0; list < listCount; list++) {
    const references = await readSegmentList(runtime, dataStore, generation, list);
    const runs = segmentRuns(references, list * segmentsPerList);
    const workers = Array.from({ length: Math.min(parallelRuns, runs.length) }, async () => {
      for (let run = runs.pop(); run; run = runs.pop()) {
        const segments = await readSegmentRun(runtime, dataStore, sealer, database, run);
        for (const [index, plaintext] of segments.entries()) {
          await file.write(plaintext, 0, plaintext.length, (run.firstSegment + index) * segmentBytes);
        }
      }
    });
    await Promise.all(workers);
  }
}
