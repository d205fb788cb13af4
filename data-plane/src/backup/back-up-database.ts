/**
 * One database of a backup: everything that its manifest leads to, and what is only logged put into an object of its own, so
 * that a backup needs no log and no node.
 */
import { storeCarried, newAttempt } from '../database/carry-fragments.js';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { FormatLevel } from '../storage/format-level.js';
import type { SealedFragment } from '../storage/fragment-chain.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import type { LogRange } from '../storage/log-location.js';
import { lineOf, storedManifest, type Manifest } from '../storage/manifest.js';
import { ManifestStore, type VersionedManifest } from '../storage/manifest-store.js';
import { carriedFragmentsName, manifestName } from '../storage/object-names.js';
import { chainPoint } from '../storage/restore.js';
import { readUnfolded } from '../storage/unfolded.js';
import { isFault } from '../storage/walk-objects.js';
import type { BackedUpDatabase } from './backup-record.js';
import { copyObjects } from './copy-objects.js';
import type { LoggedByEpochs, LoggedStores } from './logged-by-epochs.js';

export interface BackUpInput extends LoggedStores {
  readonly destination: ObjectStore;
  readonly logged: LoggedByEpochs;
}

export interface BackedUp {
  readonly database: BackedUpDatabase;
  /** As it is in the backup. */
  readonly manifest: Manifest;
  readonly isUnchanged: boolean;
  readonly copiedObjects: number;
  readonly copiedBytes: number;
  /** What is damaged, and therefore not in the backup, either. */
  readonly faults: readonly string[];
}

/** How often what is copied may change under the copy. */
const attempts = 8;

/**
 * Copies a database as it stands; what the previous backup has of it is not copied again. Throws `STORE_OBJECT_MISSING` or
 * `STORE_OBJECT_CORRUPT` when its manifest cannot be read, and `STORE_UNAVAILABLE`.
 */
export async function backUpDatabase(
  input: BackUpInput,
  id: DatabaseId,
  previous: BackedUpDatabase | undefined,
): Promise<BackedUp> {
  for (let attempt = 1; ; attempt++) {
    const result = await tryToBackUp(input, id, previous);
    if (result.faults.length === 0) return result;
    // What looks damaged may have been folded or collected under the look, or have moved from the log to a pack.
    const found = await readManifest(input, id);
    const isSettled = attempt > 1 && found.manifest.version === result.database.version;
    if (isSettled || attempt === attempts) return result;
    if (found.manifest.owner !== undefined) input.logged.forget(found.manifest.owner);
  }
}

async function tryToBackUp(
  input: BackUpInput,
  id: DatabaseId,
  previous: BackedUpDatabase | undefined,
): Promise<BackedUp> {
  const { runtime, dataStore, destination } = input;
  const formats = new FormatLevel();
  const faults: string[] = [];
  const noting = <T>(error: unknown, instead: T): T => {
    if (!isFault(error)) throw error;
    faults.push(error.message);
    return instead;
  };
  let manifest: Manifest;
  let ranges: readonly LogRange[] | undefined;
  do {
    ({ manifest } = await readManifest(input, id, formats));
    const { tail } = manifest;
    ranges = await input.logged.rangesOf(manifest).catch((error: unknown) => noting(error, tail));
  } while (!ranges);
  const commit = Math.max(lastCommit(ranges), manifest.carried?.commit ?? 0, manifest.generation?.commit ?? 0);
  if (previous?.version === manifest.version && previous.commit === commit && faults.length === 0) {
    const kept = storedManifest.decode(manifestName(id), Buffer.from(previous.manifest));
    return { database: previous, manifest: kept, isUnchanged: true, copiedObjects: 0, copiedBytes: 0, faults };
  }

  const { owner: _owner, garbage: _garbage, carried: _carried, ...content } = manifest;
  const copied = await copyObjects({
    runtime,
    from: dataStore,
    to: destination,
    manifest,
    present: new Set(previous?.objects),
  });
  faults.push(...copied.faults);
  let carried = manifest.carried;
  const objects = [...copied.keys];
  if (ranges.length > 0 && manifest.collected !== true) {
    const unfolded = await readAll(input, manifest, ranges, (error) => noting(error, undefined));
    carried = undefined;
    if (unfolded.length > 0) {
      carried = await storeCarried({ runtime, dataStore: destination }, id, newAttempt(input), unfolded);
      objects.push(carriedFragmentsName(id, carried.attempt));
    }
  }
  const backedUp: Manifest = { ...content, tail: [], ...(carried && { carried }) };
  return {
    database: {
      id,
      version: manifest.version,
      commit,
      manifest: storedManifest.encode(backedUp, formats.current).toString('utf8'),
      objects,
    },
    manifest: backedUp,
    isUnchanged: false,
    copiedObjects: copied.copiedObjects,
    copiedBytes: copied.copiedBytes,
    faults,
  };
}

/** The fragments after the generation, up to the first that is damaged. */
async function readAll(
  { runtime, dataStore, logStore }: BackUpInput,
  { id, ancestors, generation: reference, carried }: Manifest,
  ranges: readonly LogRange[],
  note: (error: unknown) => void,
): Promise<SealedFragment[]> {
  const line = lineOf({ id, ...(ancestors && { ancestors }) });
  const fragments: SealedFragment[] = [];
  try {
    const generation = reference && (await readGenerationWithoutKey(runtime, dataStore, line, reference));
    const unfolded = { runtime, dataStore, logStore, line, carried, ranges };
    for await (const fragment of readUnfolded(unfolded, chainPoint(generation))) fragments.push(fragment);
  } catch (error) {
    note(error);
  }
  return fragments;
}

function lastCommit(ranges: readonly LogRange[]): number {
  return Math.max(0, ...ranges.flatMap(({ fragments }) => fragments.at(-1)?.[4] ?? 0));
}

async function readManifest(
  { runtime, dataStore }: LoggedStores,
  id: DatabaseId,
  formats?: FormatLevel,
): Promise<VersionedManifest> {
  const found = await new ManifestStore(runtime, dataStore, formats).read(id);
  if (found) return found;
  throw new ByocError('STORE_OBJECT_MISSING', `the manifest of database ${id} is missing`);
}
