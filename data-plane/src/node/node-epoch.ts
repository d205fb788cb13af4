/** One run of this node: announced at start, sealed and recorded at a clean end. */
import { newNodeEpoch, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { createNodeRecord, replaceNodeRecord, type VersionedNodeRecord } from '../ownership/node-record.js';
import { createRecoveryRecord, type RecoveryRecord } from '../ownership/recovery-record.js';
import type { Runtime } from '../runtime.js';
import type { CommitLog } from '../storage/commit-log.js';

export interface RunningEpoch {
  readonly epoch: NodeEpoch;
  readonly record: VersionedNodeRecord;
}

export async function announceEpoch(runtime: Runtime, dataStore: ObjectStore): Promise<RunningEpoch> {
  const epoch = newNodeEpoch((count) => runtime.randomBytes(count));
  return { epoch, record: await createNodeRecord(runtime, dataStore, epoch) };
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
  databases: RecoveryRecord['databases'],
): Promise<void> {
  const sealedAt = await log.seal();
  await createRecoveryRecord(runtime, dataStore, { epoch, sealedAt, databases });
  await replaceNodeRecord(runtime, dataStore, record, { state: 'stopped' });
}
