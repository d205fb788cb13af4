import type { Engines } from '../engine/pool/engines.js';
import type { DatabaseLimits } from '../engine/ipc/messages.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { MemoryBudget } from '../memory-budget.js';
import type { KeyService } from '../keys/key-service.js';
import type { KeyWatch } from '../keys/key-watch.js';
import type { TopStatements } from '../metering/top-statements.js';
import type { UsageSink } from '../metering/usage-log.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { ObjectVersions } from '../object-store/object-versions.js';
import type { FindRecovery } from '../ownership/claim.js';
import type { Lease } from '../ownership/own-record.js';
import type { Runtime } from '../runtime.js';
import type { CommitLog } from '../storage/commit-log.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import type { ManifestStore } from '../storage/manifest-store.js';
import type { NameStore } from '../storage/name-store.js';
import type { Tracing } from '../tracing/tracing.js';
import type { NodeObserver } from './node-observer.js';
import type { GenerationNumbers } from './generation-numbers.js';
import type { UnfoldedFragments } from './unfolded-fragments.js';

/** When an open database is folded into a new generation, and how long it stays open. */
export interface DatabasePolicy {
  /** How long an answer may wait for the store before it becomes OUTCOME_UNKNOWN. */
  readonly durabilityTimeoutMs: number;
  /** Beyond this many bytes of commits that wait for the store, databases with such commits take no requests. */
  readonly maxLogBacklogBytes: number;
  /** A database is closed when nobody used it for this long. */
  readonly idleCloseMs: number;
  /** How long handing over waits for the streams and requests of a database. */
  readonly handOverTimeoutMs: number;
  /** Least and most bytes of unfolded fragments that make a fold due; in between an eighth of the database's size. */
  readonly foldMinBytes: number;
  readonly foldMaxBytes: number;
  /** So many unfolded fragments make a fold due whatever their size: each is one read when the database is opened. */
  readonly foldFragments: number;
  /** While a data key is being replaced every fold seals about so much more anew, and takes so much longer. */
  readonly resealBytes: number;
  /** The engine folds its local WAL into its local file when the WAL has grown by this much. */
  readonly localWalBytes: number;
  /** How far back every commit can be restored. */
  readonly historyMs: number;
  /** How long a deleted database can be brought back. */
  readonly undeleteMs: number;
  /** How often a node looks for garbage of all databases that are its business; 0 = never. */
  readonly collectEveryMs: number;
}

/** What the databases of one node share. */
export interface NodeContext {
  readonly runtime: Runtime;
  readonly deployment: string;
  readonly epoch: NodeEpoch;
  readonly dataStore: ObjectStore;
  /** What the data store keeps of objects that were replaced. */
  readonly dataVersions: ObjectVersions;
  /** Begins to read an object of the data store that never changes, for whoever asks for it soon. */
  readonly prefetch: (key: string) => void;
  readonly logStore: LogStore;
  readonly keys: KeyService;
  readonly keyWatch: Pick<KeyWatch, 'hold'>;
  readonly names: NameStore;
  readonly manifests: ManifestStore;
  readonly log: CommitLog;
  readonly engines: Engines;
  readonly unfolded: UnfoldedFragments;
  readonly generationNumbers: GenerationNumbers;
  /** For the beginnings of transactions that replicas of all databases push. */
  readonly pushBudget: MemoryBudget;
  readonly findRecovery: FindRecovery;
  readonly lease: Lease;
  /** Whether a database would be better off on another node, once nobody uses it here. */
  readonly prefersAnotherNode: (id: DatabaseId) => boolean;
  readonly limits: DatabaseLimits;
  readonly policy: DatabasePolicy;
  /** Where what databases use is counted. */
  readonly usage: UsageSink;
  /** What statements cost; in memory only. */
  readonly statements: TopStatements;
  /** Structured log line about one database; never data, parameters or keys. */
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly observer?: NodeObserver;
  readonly tracing?: Tracing | undefined;
}
