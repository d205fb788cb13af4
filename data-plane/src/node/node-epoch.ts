/** One run of this node: announced at start, sealed and recorded at a clean end. */
import { newNodeEpoch, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { createNodeRecord, replaceNodeRecord, type VersionedNodeRecord } from '../ownership/node-record.js';
import { createRecoveryRecord, type RecoveryRecord } from '../ownership/recovery-record.js';
import type { Runtime } from '../runtime.js';
import type { CommitLog } from '../storage/commit-log.js';
import type { LogStore } from '../storage/log-store/log-store.js';

export interface RunningEpoch {
  readonly epoch: NodeEpoch;
  readonly record: VersionedNodeRecord;
}

/** Where the commits of an epoch begin in its log. */
export const firstCommitPosition = 1;

/**
 * Announces a new epoch. Its log begins with an object that holds nothing and is there before the epoch is: so a log
 * store that lost everything, or is another one, is never taken for an epoch that committed nothing.
 */
export async function announceEpoch(
  runtime: Runtime,
  { dataStore, logStore }: { readonly dataStore: ObjectStore; readonly logStore: LogStore },
): Promise<RunningEpoch> {
  const epoch = newNodeEpoch((count) => runtime.randomBytes(count));
  await logStore.begin(epoch);
  return { epoch, record: await createNodeRecord(runtime, dataStore, epoch, { logBegun: true }) };
}

/**
 * A clean end: everything handed to the log becomes durable, the log is sealed, and the epoch writes its own recovery
 * record, so that its databases can be claimed at once. Throws when the log was sealed by somebody else.
 */
export async function endEpoch(
  runtime: Runtime,
  dataStore: ObjectStore,
  { epoch, record }: RunningEpoch,
  log: CommitLog,
  /** Asked when the log is sealed and nothing more can be added. */
  logged: () => RecoveryRecord['databases'],
): Promise<void> {
  const sealedAt = await log.seal();
  await createRecoveryRecord(runtime, dataStore, { epoch, sealedAt, databases: logged() });
  await replaceNodeRecord(runtime, dataStore, record, { state: 'stopped' });
}
