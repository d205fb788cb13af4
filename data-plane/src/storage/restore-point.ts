/**
 * Going back in time: the generation before a moment and the fragments that lead from it there, out of the archive of
 * the next generation or, after the last, out of what is not folded yet.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readArchive } from './archive.js';
import type { ChainStart, SealedFragment } from './fragment-chain.js';
import { databaseAt, readGeneration } from './generation.js';
import { findPlace } from './history.js';
import type { LogRange } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';
import type { GenerationReference, Manifest } from './manifest.js';
import { isBeyond, type Moment } from './moment.js';
import { archiveName } from './object-names.js';
import { rebuild, type RestoredDatabase } from './restore.js';
import type { RestoredFile } from './restored-file.js';
import { readUnfolded } from './unfolded.js';

export interface HistoryInput {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  readonly sealer: Sealer;
  readonly manifest: Manifest;
  /** Everything logged since the manifest's generation. */
  readonly ranges: readonly LogRange[];
}

export interface RestorePoint {
  /** Absent where the database was still empty. */
  readonly base?: GenerationReference;
  /** The fragments after the base that may hold commits up to the moment, and some beyond. */
  readonly fragmentsAfter: (from: ChainStart) => AsyncIterable<SealedFragment>;
  /** The generation whose archive these fragments lie in; absent when no generation holds the moment yet. */
  readonly next?: GenerationReference;
}

/** The first moment that a database can go back to. */
export function earliestMoment({ parent, horizon, createdAtMs }: Manifest): { commit: number; timeMs: number } {
  const begin = parent
    ? { commit: parent.commit, timeMs: parent.commitTimeMs }
    : { commit: 0, timeMs: Math.min(createdAtMs, horizon?.commitTimeMs ?? createdAtMs) };
  return horizon && horizon.commit > begin.commit ? { commit: horizon.commit, timeMs: horizon.commitTimeMs } : begin;
}

/**
 * Throws `RESTORE_POINT_NOT_FOUND` for a moment before what is kept, `STORE_OBJECT_MISSING`, `STORE_OBJECT_CORRUPT`.
 */
export async function findRestorePoint(input: HistoryInput, moment: Moment): Promise<RestorePoint> {
  const { runtime, dataStore, sealer, manifest } = input;
  const earliest = earliestMoment(manifest);
  if (isBeyond(moment, earliest.commit, earliest.timeMs)) {
    const since = `commit ${earliest.commit}, ${new Date(earliest.timeMs).toISOString()}`;
    throw new ByocError('RESTORE_POINT_NOT_FOUND', `the history of database ${manifest.id} is kept since ${since}`);
  }
  const { base, next } = await findPlace(
    manifest.generation,
    ({ commit, commitTimeMs }) => isBeyond(moment, commit, commitTimeMs),
    async (reference) => readGeneration(runtime, dataStore, sealer, reference),
  );
  const { line } = sealer;
  if (!next) {
    const unfolded = { ...input, carried: manifest.carried, line };
    return { ...(base && { base }), fragmentsAfter: (from) => readUnfolded(unfolded, from) };
  }
  const { term, number } = next.reference;
  const archive = archiveName(databaseAt(line, next.reference), term, number);
  const upTo = 'commit' in moment ? moment.commit : Infinity;
  return {
    ...(base && { base }),
    next: next.reference,
    fragmentsAfter: (from) => readArchive(runtime, dataStore, line, archive, from, upTo),
  };
}

/**
 * Fills `file` with the database as it was at a moment, that commit included, and closes it. Throws
 * `RESTORE_POINT_NOT_FOUND`, also for a commit that there is not yet, and what `restore` throws.
 */
export async function restoreAt(file: RestoredFile, input: HistoryInput, moment: Moment): Promise<RestoredDatabase> {
  const { runtime, dataStore, sealer, manifest } = input;
  let point: RestorePoint;
  try {
    point = await findRestorePoint(input, moment);
  } catch (error) {
    await file.close();
    throw error;
  }
  const into = { runtime, dataStore, sealer, reservedBytes: manifest.reservedBytes };
  const restored = await rebuild(file, into, point.base, point.fragmentsAfter, moment);
  if ('commit' in moment && restored.commit !== moment.commit) {
    throw new ByocError(
      'RESTORE_POINT_NOT_FOUND',
      `database ${manifest.id} has no commit ${moment.commit} yet; its last one is ${restored.commit}`,
    );
  }
  return restored;
}
