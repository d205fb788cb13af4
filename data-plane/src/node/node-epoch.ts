/** One run of this node: announced at start, sealed and recorded at a clean end. */
import { newNodeEpoch, type DatabaseId, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { readClocks, type ClockReading } from '../ownership/clock-reading.js';
import { addMember, removeMember } from '../ownership/members.js';
import { createNodeRecord, type VersionedNodeRecord } from '../ownership/node-record.js';
import type { OwnRecord } from '../ownership/own-record.js';
import { markUncollected } from '../ownership/uncollected-logs.js';
import { RecoveredDatabases, type LoggedTerm } from '../ownership/recovered-databases.js';
import { createRecoveryRecord } from '../ownership/recovery-record.js';
import type { Runtime } from '../runtime.js';
import type { CommitLog } from '../storage/commit-log.js';
import type { FormatLevel } from '../storage/format-level.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { Turns } from '../turns.js';

export interface AnnouncedEpoch {
  readonly epoch: NodeEpoch;
  readonly created: VersionedNodeRecord;
  /** From before the record was sent. */
  readonly createdAt: ClockReading;
}

/** Where the commits of an epoch begin in its log. */
export const firstCommitPosition = 1;

/**
 * Announces a new epoch: its markers among the members and the logs, then the beginning of its log, then its record. The
 * log begins with an object that holds nothing and is there before the epoch is: so a log store that lost everything, or is
 * another one, is never taken for an epoch that committed nothing.
 */
export async function announceEpoch(
  runtime: Runtime,
  { dataStore, logStore }: { readonly dataStore: ObjectStore; readonly logStore: LogStore },
  formats: FormatLevel,
): Promise<AnnouncedEpoch> {
  const epoch = newNodeEpoch((count) => runtime.randomBytes(count));
  await Promise.all([addMember(runtime, dataStore, epoch), markUncollected(runtime, dataStore, epoch)]);
  await logStore.begin(epoch);
  const createdAt = readClocks(runtime);
  const created = await createNodeRecord(runtime, dataStore, epoch, { logBegun: true }, formats);
  return { epoch, createdAt, created };
}

/**
 * A clean end: everything handed to the log becomes durable, the log is sealed, and the epoch writes its own recovery
 * record, so that its databases can be claimed at once. Throws when the log was sealed by somebody else.
 */
export async function endEpoch(
  runtime: Runtime,
  dataStore: ObjectStore,
  own: OwnRecord,
  log: CommitLog,
  /** Asked when the log is sealed and nothing more can be added. */
  logged: () => Iterable<readonly [DatabaseId, readonly LoggedTerm[]]>,
  formats: FormatLevel,
): Promise<void> {
  const { epoch } = own;
  const sealedAt = await log.seal();
  const databases = await new Turns(runtime, 'commit').run(RecoveredDatabases.from(logged()));
  await createRecoveryRecord(runtime, dataStore, { epoch, sealedAt, databases }, formats);
  await own.change({ state: 'stopped' }, { urgent: true });
  await own.stop();
  await removeMember(dataStore, epoch);
}
