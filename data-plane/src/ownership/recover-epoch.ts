/**
 * Recovery of an epoch that has ended without a word: condemn, seal, record.
 *
 * 1. Condemn its node record, so that its next renewal fails. Its low-water mark and the packs that it names are final then.
 * 2. Walk its log from the low-water mark and create a seal at the first missing position. A write of the old node that
 *    is still on its way there loses; one that was faster is found, and the walk goes on. Objects beyond the seal were
 *    never acknowledged, because a log acknowledges in order. Objects so far beyond it that they cannot have been written
 *    before it was, and a log without its beginning, prove that the store lost a part of the log: that is an error.
 * 3. Have entries copied that the loss of a bucket would take away; then create the recovery record. From then on the databases of the epoch can be claimed.
 *
 * Every step can be repeated, by any number of recoverers at once.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import type { FormatLevel } from '../storage/format-level.js';
import { fragmentLocation, placeOfPack } from '../storage/log-location.js';
import type { LogEntry, LogStore } from '../storage/log-store/log-store.js';
import { packName } from '../storage/object-names.js';
import { readPackIndex } from '../storage/pack.js';
import { FoundFragments } from './found-fragments.js';
import { readNodeRecord, replaceNodeRecord, type NodeRecord } from './node-record.js';
import { RecoveredDatabases } from './recovered-databases.js';
import { createRecoveryRecord, readRecoveryRecord, type RecoveryRecord } from './recovery-record.js';
import { walkLog, type WalkedLog } from './walk-log.js';

/** Packs that are read at once. */
const packsAtOnce = 64;
const copiesAtOnce = 8;
/** Noting one fragment of the log takes about as long as encrypting that many bytes. */
const notingCost = 256;
/** How often a log is walked when entries vanish on the way. */
const walks = 3;

export interface RecoveryStores {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  /** What may be written. @default the oldest versions */
  readonly formats?: FormatLevel;
}

/**
 * Ends an epoch and returns its recovery record; returns the existing one when the epoch is recovered already. Throws
 * `STORE_OBJECT_CORRUPT` when a log object cannot be read and `STORE_OBJECT_MISSING` when one is known to have been lost:
 * then nobody knows what it held, and the epoch stays unrecovered rather than lose a commit.
 */
export async function recoverEpoch(stores: RecoveryStores, epoch: NodeEpoch, by: NodeEpoch): Promise<RecoveryRecord> {
  const { runtime, dataStore } = stores;
  const existing = await readRecoveryRecord(runtime, dataStore, epoch);
  if (existing) return existing;
  const record = await condemn(stores, epoch);
  try {
    return await recordFindings(stores, record, by);
  } catch (error) {
    // Once the epoch is recovered its log may be collected, under the feet of whoever still walks it.
    const recovered = await readRecoveryRecord(runtime, dataStore, epoch);
    if (recovered) return recovered;
    throw error;
  }
}

async function recordFindings(
  stores: RecoveryStores,
  { epoch, lowWaterPosition, packs, logBegun }: NodeRecord,
  by: NodeEpoch,
): Promise<RecoveryRecord> {
  const { runtime, dataStore } = stores;
  if (logBegun) await assertBegun(stores, epoch);
  const packed = readPacks(stores, epoch, packs);
  // Awaited below; until then a failure must not count as unhandled.
  packed.catch(() => undefined);
  for (let attempt = 1; ; attempt++) {
    const { end: sealedAt, entries } = await walkAndSeal(stores, epoch, by, lowWaterPosition);
    try {
      await preserveEntries(stores, epoch, entries);
    } catch (error) {
      // An entry that was seen may be lost before it is copied. Nothing was recorded: it may count, or not.
      if (attempt === walks || !isByocError(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
      continue;
    }
    const found = await packed;
    const turns = new Turns(runtime, 'commit');
    for (const [position, { index }] of entries) {
      for (const fragment of index) found.add(fragment, fragmentLocation(position, fragment));
      await turns.spent(index.length * notingCost);
    }
    const databases = await turns.run(RecoveredDatabases.from(found.byDatabase()));
    return createRecoveryRecord(runtime, dataStore, { epoch, sealedAt, databases }, stores.formats);
  }
}

async function preserveEntries(
  { logStore }: RecoveryStores,
  epoch: NodeEpoch,
  entries: ReadonlyMap<number, LogEntry>,
): Promise<void> {
  const positions = [...entries].flatMap(([position, { needsCopy }]) => (needsCopy ? [position] : []));
  for (let start = 0; start < positions.length; start += copiesAtOnce) {
    const batch = positions.slice(start, start + copiesAtOnce);
    await Promise.all(batch.map(async (position) => logStore.preserve(epoch, position)));
  }
}

/** What lies in packs of an epoch. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function readPacks(
  { runtime, dataStore }: Pick<RecoveryStores, 'runtime' | 'dataStore'>,
  epoch: NodeEpoch,
  packs: readonly number[],
): Promise<FoundFragments> {
  const found = new FoundFragments();
  const turns = new Turns(runtime, 'commit');
  for (let start = 0; start < packs.length; start += packsAtOnce) {
    const batch = packs.slice(start, start + packsAtOnce).map(async (pack) => {
      const runs = await readPackIndex(runtime, dataStore, packName(epoch, pack));
      await turns.run(found.addIndex(runs, placeOfPack(pack)));
    });
    await Promise.all(batch);
  }
  return found;
}

async function condemn({ runtime, dataStore, formats }: RecoveryStores, epoch: NodeEpoch): Promise<NodeRecord> {
  for (;;) {
    const current = await readNodeRecord(runtime, dataStore, epoch, formats);
    if (current.record.state === 'condemned' || current.record.state === 'stopped') return current.record;
    const condemned = await replaceNodeRecord(runtime, dataStore, current, { state: 'condemned' }, formats);
    if (condemned) return condemned.record;
  }
}

async function assertBegun({ logStore }: RecoveryStores, epoch: NodeEpoch): Promise<void> {
  if ((await logStore.look(epoch, 0)) === undefined) {
    throw new ByocError(
      'STORE_OBJECT_MISSING',
      `log object ${logStore.nameOf(epoch, 0)}, which began the log, is missing`,
    );
  }
}

async function walkAndSeal(
  { logStore }: RecoveryStores,
  epoch: NodeEpoch,
  by: NodeEpoch,
  from: number,
): Promise<WalkedLog> {
  return walkLog(logStore, epoch, from, async (position) => {
    const sealed = await logStore.seal(epoch, position, by);
    return sealed === 'sealed' ? 'end' : sealed;
  });
}
