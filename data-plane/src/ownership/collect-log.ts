/**
 * Deletes the log and the packs of an epoch that has ended, once no database needs them. Seal, node record and recovery
 * record stay for ever: whoever stalled must find them.
 *
 * Invariant: an epoch that has its recovery record is needed by a database only while the database's manifest has it in
 * its tail, or as its owner with something in the record that the generation does not hold. Once that is over it never
 * comes again: tails and owners of the past are only ever written by claims, and only from such a manifest. So what was
 * found once in all manifests is true for ever, and every step can be repeated, or left undone, by anybody.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { deleteWithRetry } from '../storage/conditional-write.js';
import { listKeys } from '../storage/list-keys.js';
import type { Manifest } from '../storage/manifest.js';
import type { ManifestStore } from '../storage/manifest-store.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { packPrefix } from '../storage/object-names.js';
import { mostLogObjectsInFlight } from '../storage/commit-log.js';
import { readNodeRecord } from './node-record.js';
import { removeEntry } from './remove-entry.js';
import { recoveredFragments, type RecoveryRecord } from './recovery-record.js';
import { markCollected } from './uncollected-logs.js';

/** How fast a node works at what nobody waits for. */
export interface CollectionPace {
  /** Manifests that are looked at, and objects that are deleted, each second. */
  readonly looksPerSecond: number;
  /** Databases that are settled each second. */
  readonly settlesPerSecond: number;
  /** Between the last look and the first deletion: whoever began to read from an older manifest goes on that long. */
  readonly graceMs: number;
}

export interface CollectorStores {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  readonly manifests: Pick<ManifestStore, 'read'>;
}

export interface Settling {
  /**
   * Makes a database independent of the logs of ended epochs: claims it if need be, folds it, releases it. Rejects when
   * that is impossible at present, for example because its key is refused.
   */
  settle(database: DatabaseId): Promise<void>;
  /** Called for every database that could not be settled. */
  onUnsettled(database: DatabaseId, error: unknown): void;
  /** Asked between steps: the node is stopping. */
  readonly isStopped: () => boolean;
}

/** So many absent positions in a row below the mark: the epoch had deleted everything from there down. */
const surelyDeleted = 64;

const mostPauseMs = 1_000;

/**
 * Returns whether the epoch's log is gone now; not when a database could not be settled, or `isStopped`. Throws
 * `STORE_OBJECT_MISSING` when a database of the record has no manifest, and store errors; then nothing was deleted, or a
 * part.
 */
export async function collectLog(
  stores: CollectorStores,
  record: RecoveryRecord,
  pace: CollectionPace,
  settling: Settling,
): Promise<boolean> {
  const { runtime, dataStore, manifests } = stores;
  const needs = async (database: DatabaseId): Promise<boolean> => {
    const found = await manifests.read(database);
    if (!found) throw new ByocError('STORE_OBJECT_MISSING', `the manifest of database ${database} is missing`);
    return needsLog(found.manifest, record);
  };
  let isNeeded = false;
  for (const database of record.databases.ids()) {
    if (settling.isStopped()) return false;
    await pause(runtime, 1_000 / pace.looksPerSecond, settling);
    if (!(await needs(database))) continue;
    await pause(runtime, 1_000 / pace.settlesPerSecond, settling);
    if (settling.isStopped()) return false;
    try {
      await settling.settle(database);
      if (await needs(database)) throw new Error('it still needs the log after it was settled');
    } catch (error) {
      isNeeded = true;
      settling.onUnsettled(database, error);
    }
  }
  if (isNeeded) return false;
  await pause(runtime, pace.graceMs, settling);
  if (settling.isStopped()) return false;
  const isGone =
    (await deletePacks(stores, record, pace, settling)) && (await deleteLog(stores, record, pace, settling));
  if (isGone) await markCollected(runtime, dataStore, record.epoch);
  return isGone;
}

/** Sleeps, but not much longer than the node goes on: its end waits for this. */
async function pause(runtime: Runtime, ms: number, { isStopped }: Settling): Promise<void> {
  for (let leftMs = ms; leftMs > 0 && !isStopped(); leftMs -= mostPauseMs) {
    await runtime.sleep(Math.min(leftMs, mostPauseMs));
  }
}

async function deletePacks(
  { runtime, dataStore }: CollectorStores,
  { epoch }: RecoveryRecord,
  pace: CollectionPace,
  settling: Settling,
): Promise<boolean> {
  for await (const key of listKeys(runtime, dataStore, packPrefix(epoch))) {
    if (settling.isStopped()) return false;
    await deleteWithRetry(runtime, dataStore, key);
    await pause(runtime, 1_000 / pace.looksPerSecond, settling);
  }
  return true;
}

/**
 * From the lowest position up, so that it can be cut off and repeated, to the last one above the seal that the epoch may
 * have written. Below its low-water mark the epoch has deleted from the lowest up itself, and may have been cut off.
 */
async function deleteLog(
  stores: CollectorStores,
  { epoch, sealedAt }: RecoveryRecord,
  pace: CollectionPace,
  settling: Settling,
): Promise<boolean> {
  const { runtime, dataStore, logStore } = stores;
  const { lowWaterPosition } = (await readNodeRecord(runtime, dataStore, epoch)).record;
  let lowest = Math.max(1, lowWaterPosition);
  for (let position = lowest - 1, absent = 0; position > 0 && absent < surelyDeleted; position--) {
    if (settling.isStopped()) return false;
    const isAbsent = (await logStore.read(epoch, position, 0, 1)) === undefined;
    absent = isAbsent ? absent + 1 : 0;
    if (!isAbsent) lowest = position;
  }
  for (let position = lowest; position <= sealedAt + mostLogObjectsInFlight; position++) {
    if (position === sealedAt) continue;
    if (settling.isStopped()) return false;
    await removeEntry(stores, epoch, position);
    await pause(runtime, 1_000 / pace.looksPerSecond, settling);
  }
  return true;
}

function needsLog(manifest: Manifest, record: RecoveryRecord): boolean {
  if (manifest.tail.some(({ epoch }: { readonly epoch: NodeEpoch }) => epoch === record.epoch)) return true;
  if (manifest.owner !== record.epoch) return false;
  const folded = manifest.generation?.commit ?? 0;
  return recoveredFragments(record, manifest.id, manifest.term).some(([, , , , last]) => last > folded);
}
