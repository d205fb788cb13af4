/** What a recoverer would find of an epoch if it ended now; nothing is condemned, sealed or written. */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import { fragmentLocation } from '../storage/log-location.js';
import { Turns } from '../turns.js';
import { readNodeRecord, type NodeRecord } from './node-record.js';
import { readPacks, type RecoveryStores } from './recover-epoch.js';
import { readRecoveryRecord, type RecoveryRecord } from './recovery-record.js';
import { RecoveredDatabases } from './recovered-databases.js';
import { walkLog } from './walk-log.js';

/** How often the mark may rise under the walk. */
const walks = 10;

export type EpochFindings = Pick<RecoveryRecord, 'epoch' | 'databases'>;

/**
 * Everything that the epoch had made durable when this was called, but for what its databases' manifests hold that are read
 * afterwards. Throws `STORE_OBJECT_MISSING` when the epoch is unknown or a part of its log was lost, `STORE_OBJECT_CORRUPT`,
 * and `STORE_UNAVAILABLE`, also when the log is collected faster than it can be walked.
 */
export async function lookAtEpoch(
  stores: Pick<RecoveryStores, 'runtime' | 'dataStore' | 'logStore'>,
  epoch: NodeEpoch,
): Promise<EpochFindings> {
  const { runtime, dataStore } = stores;
  for (let attempt = 1; attempt <= walks; attempt++) {
    const recovered = await readRecoveryRecord(runtime, dataStore, epoch);
    if (recovered) return recovered;
    const before = await existingRecord(stores, epoch);
    let findings: EpochFindings | undefined;
    let failure: unknown;
    try {
      findings = await walk(stores, before);
    } catch (error) {
      if (!isByocError(error) || error.code !== 'STORE_OBJECT_MISSING') throw error;
      failure = error;
    }
    // What was collected under the walk is folded, or lies in a pack that the record names by now.
    const after = await existingRecord(stores, epoch);
    if (after.lowWaterPosition === before.lowWaterPosition && String(after.packs) === String(before.packs)) {
      if (findings) return findings;
      if ((await readRecoveryRecord(runtime, dataStore, epoch)) === undefined) throw failure;
    }
  }
  throw new ByocError('STORE_UNAVAILABLE', `the log of node epoch ${epoch} is collected faster than it can be read`);
}

async function existingRecord(
  { runtime, dataStore }: Pick<RecoveryStores, 'runtime' | 'dataStore'>,
  epoch: NodeEpoch,
): Promise<NodeRecord> {
  return (await readNodeRecord(runtime, dataStore, epoch)).record;
}

async function walk(
  stores: Pick<RecoveryStores, 'runtime' | 'dataStore' | 'logStore'>,
  { epoch, lowWaterPosition, packs }: NodeRecord,
): Promise<EpochFindings> {
  const found = await readPacks(stores, epoch, packs);
  const { entries } = await walkLog(stores.logStore, epoch, lowWaterPosition, () => Promise.resolve('end'));
  for (const [position, { index }] of entries) {
    for (const fragment of index) found.add(fragment, fragmentLocation(position, fragment));
  }
  const turns = new Turns(stores.runtime, 'background');
  return { epoch, databases: await turns.run(RecoveredDatabases.from(found.byDatabase())) };
}
