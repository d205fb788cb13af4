/**
 * A data node without its surroundings: everything between the HTTP servers above and the stores, the key service and the
 * engine processes below. The real node and the simulator run the same one.
 *
 * Order matters twice. At the start the epoch is announced before anything of it can be named by a manifest. At the end the
 * record says `draining`, and its mark rises no more, before a database is released with a tail in this log: what manifests
 * name of it stays where it is. The log is sealed only when nothing uses it any more.
 *
 * And the format level is read once more after the epoch was announced: see `raise-format-level.ts`.
 */
import { CollectionSweep } from '../database/collection-sweep.js';
import { GenerationNumbers } from '../database/generation-numbers.js';
import { NodeDatabases } from '../database/node-databases.js';
import type { DatabasePolicy, NodeContext } from '../database/node-context.js';
import type { NodeObserver } from '../database/node-observer.js';
import type { Peers } from '../database/peers.js';
import { RoutedDatabases } from '../database/routed-databases.js';
import { UnfoldedFragments } from '../database/unfolded-fragments.js';
import type { DatabaseLimits } from '../engine/ipc/messages.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { KeyService } from '../keys/key-service.js';
import { KeyWatch, type KeyWatchOptions, type KeyWatchSettings } from '../keys/key-watch.js';
import { MemoryBudget } from '../memory-budget.js';
import { StoredUsage, type UsageReader } from '../metering/stored-usage.js';
import type { UsageCounts } from '../metering/usage-batch.js';
import { TopStatements } from '../metering/top-statements.js';
import { UsageBundler } from '../metering/usage-bundler.js';
import { UsageLog } from '../metering/usage-log.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import type { ObjectVersions } from '../object-store/object-versions.js';
import { PrefetchedObjects } from '../object-store/prefetched-objects.js';
import { EndedEpochs } from '../ownership/ended-epochs.js';
import type { LeaseTiming } from '../ownership/lease-timing.js';
import { Locator } from '../ownership/locator.js';
import type { NodeAddress } from '../ownership/node-record.js';
import { NodeWatch } from '../ownership/node-watch.js';
import { OwnRecord } from '../ownership/own-record.js';
import type { Runtime } from '../runtime.js';
import { CommitLog, type CommitLogOptions } from '../storage/commit-log.js';
import { FormatLevel } from '../storage/format-level.js';
import { assertFormatLevelKnown, beginFormatLevel, readFormatLevel } from '../storage/format-level-record.js';
import { ManifestStore } from '../storage/manifest-store.js';
import { NameStore } from '../storage/name-store.js';
import type { Tracing } from '../tracing/tracing.js';
import { keyWatchSettings, logMaintenance, pushBudgetBytes } from './limits.js';
import { LogMaintenance, type LogMaintenanceSettings } from './log-maintenance.js';
import { announceEpoch, endEpoch, firstCommitPosition, type AnnouncedEpoch } from './node-epoch.js';

export interface NodeCoreOptions {
  readonly runtime: Runtime;
  readonly deployment: string;
  readonly dataStore: ObjectStore;
  readonly dataVersions: ObjectVersions;
  readonly logStore: LogStore;
  readonly keys: KeyService;
  /** @default the one of `limits.ts` */
  readonly keyWatch?: KeyWatchSettings;
  readonly onKeyLost?: KeyWatchOptions['onLost'];
  readonly engines: NodeContext['engines'];
  readonly peers: Peers;
  readonly limits: DatabaseLimits;
  readonly policy: DatabasePolicy;
  readonly timing: LeaseTiming;
  readonly log: Pick<CommitLogOptions, 'windowMs' | 'maxObjectBytes' | 'maxInFlight' | 'onStored'>;
  /** @default the one of `limits.ts` */
  readonly logMaintenance?: LogMaintenanceSettings;
  readonly maxOpenDatabases: number;
  /** How long a request may wait for somebody who serves its database. */
  readonly routeTimeoutMs: number;
  readonly report: NodeContext['report'];
  /** This epoch was ended by another node, or can go on no more: nothing is acknowledged after that. Called once. */
  readonly onFenced: (cause?: unknown) => void;
  readonly observer?: NodeObserver;
  /** Absent when nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly onCondemned?: (epoch: NodeEpoch) => void;
  /** A database used so much. */
  readonly onUsage?: (counts: Partial<UsageCounts>) => void;
  readonly onRecovered?: (epoch: NodeEpoch) => void;
}

/** Recovery records that are kept in memory. */
const rememberedEpochs = 64;
/** Objects that are read before they are asked for, at a time. */
const maxPrefetched = 256;
const rememberedNames = 100_000;
const rememberedOwners = 100_000;

export class NodeCore {
  /** What the servers serve; requests for databases of other nodes are passed on. */
  readonly databases: RoutedDatabases;
  /** What databases used, of all nodes. */
  readonly usage: UsageReader;
  readonly #options: NodeCoreOptions;
  readonly #own: OwnRecord;
  readonly #watch: NodeWatch;
  readonly #local: NodeDatabases;
  readonly #sweep: CollectionSweep;
  readonly #log: CommitLog;
  readonly #unfolded = new UnfoldedFragments();
  readonly #formats: FormatLevel;
  readonly #maintenance: LogMaintenance;
  readonly #keyWatch: KeyWatch;
  readonly #usage: UsageLog;
  readonly #bundler: UsageBundler;
  #state: 'serving' | 'draining' | 'fenced' = 'serving';

  /**
   * Resolves when the node can serve; `serveAt` then tells the others. Throws `FORMAT_LEVEL_UNKNOWN` when this release does
   * not read what the nodes of the deployment may write.
   */
  static async start(options: NodeCoreOptions): Promise<NodeCore> {
    const { runtime, dataStore, logStore } = options;
    const { record } = await beginFormatLevel(runtime, dataStore);
    assertFormatLevelKnown(record);
    const formats = new FormatLevel(record.level);
    const announced = await announceEpoch(runtime, { dataStore, logStore }, formats);
    const core = new NodeCore(options, announced, formats);
    core.#own.start();
    await core.#watch.start();
    try {
      const { record: present } = await readFormatLevel(runtime, dataStore);
      assertFormatLevelKnown(present);
      formats.learn(present.level);
    } catch (error) {
      // A clean end, so that no raise has to wait for it; without the store another node ends the epoch.
      if (isByocError(error, 'FORMAT_LEVEL_UNKNOWN')) {
        await core
          .drain()
          .catch((cause: unknown) => options.report('an epoch was left open', { error: String(cause) }));
      }
      await core.stop();
      throw error;
    }
    core.#maintenance.lookForEndedLogs({ soon: true });
    core.#sweep.start();
    return core;
  }

  private constructor(options: NodeCoreOptions, announced: AnnouncedEpoch, formats: FormatLevel) {
    const { runtime, logStore, timing, report } = options;
    const dataStore = new PrefetchedObjects(options.dataStore, maxPrefetched);
    const { epoch, created, createdAt } = announced;
    this.#options = options;
    this.#formats = formats;
    this.#own = new OwnRecord({
      runtime,
      store: dataStore,
      timing,
      created,
      createdAt,
      formats,
      onLost: (cause) => this.#fence(cause),
      onAttempt: (outcome) => options.observer?.leaseRenewed?.(outcome),
    });
    const ended = new EndedEpochs(runtime, dataStore, rememberedEpochs);
    this.#watch = new NodeWatch({
      stores: { runtime, dataStore, logStore, formats },
      own: epoch,
      timing,
      report,
      onEnded: (record) => {
        ended.remember(record);
        options.peers.abandon(record.epoch);
        options.onRecovered?.(record.epoch);
        this.#maintenance.lookForEndedLogs();
      },
      ...(options.onCondemned && { onCondemned: options.onCondemned }),
      onListing: async () => this.#learnFormatLevel(),
    });
    this.#log = new CommitLog({
      runtime,
      store: options.tracing?.logWrites.through(logStore) ?? logStore,
      epoch,
      firstPosition: firstCommitPosition,
      ...options.log,
      onStored: (object) => {
        options.log.onStored?.(object);
        this.#maintenance.onStored(object);
      },
      onFenced: (cause) => this.#fence(cause),
    });
    const manifests = new ManifestStore(runtime, dataStore, formats);
    this.#keyWatch = new KeyWatch({
      runtime,
      service: options.keys,
      ...(options.keyWatch ?? keyWatchSettings),
      report,
      ...(options.onKeyLost && { onLost: options.onKeyLost }),
    });
    const locator = new Locator({
      runtime,
      own: epoch,
      manifests,
      watch: this.#watch,
      ended,
      takesDatabases: () => this.#state === 'serving',
      maxRemembered: rememberedOwners,
    });
    this.#bundler = new UsageBundler({ runtime, store: dataStore, epoch });
    const { onUsage: onCounted } = options;
    this.#usage = new UsageLog({ runtime, store: dataStore, epoch, report, bundler: this.#bundler, onCounted });
    this.usage = new StoredUsage({ runtime, store: dataStore, own: this.#usage, report });
    const context: NodeContext = {
      runtime,
      deployment: options.deployment,
      epoch,
      dataStore,
      dataVersions: options.dataVersions,
      prefetch: (key) => dataStore.prefetch(key),
      logStore,
      keys: this.#keyWatch,
      keyWatch: this.#keyWatch,
      names: new NameStore(runtime, dataStore, formats),
      manifests,
      log: this.#log,
      engines: options.engines,
      unfolded: this.#unfolded,
      generationNumbers: new GenerationNumbers(),
      pushBudget: new MemoryBudget(pushBudgetBytes, 'pushed transactions that wait for their rest'),
      findRecovery: async (other) => ended.find(other),
      lease: this.#own,
      prefersAnotherNode: (id) => locator.prefersAnother(id),
      limits: options.limits,
      policy: options.policy,
      usage: this.#usage,
      statements: new TopStatements(runtime),
      report,
      ...(options.observer && { observer: options.observer }),
      tracing: options.tracing,
    };
    this.#local = new NodeDatabases(context, {
      maxOpen: options.maxOpenDatabases,
      maxRememberedNames: rememberedNames,
    });
    this.#maintenance = new LogMaintenance({
      epoch,
      stores: { runtime, dataStore, logStore },
      manifests,
      record: this.#own,
      log: this.#log,
      unfolded: this.#unfolded,
      livingNodes: () => this.#watch.candidates(),
      settle: async (id) => this.#local.settle(id),
      settings: options.logMaintenance ?? logMaintenance,
      report,
    });
    this.#sweep = new CollectionSweep(context, this.#local, options.policy.collectEveryMs);
    this.databases = new RoutedDatabases({
      runtime,
      local: this.#local,
      locator,
      peers: options.peers,
      routeTimeoutMs: options.routeTimeoutMs,
      ...(options.observer && { observer: options.observer }),
    });
    this.#watch.onJoin(() => {
      void this.#local.rebalance().catch((error: unknown) => report('rebalancing failed', { error: String(error) }));
    });
  }

  get epoch(): NodeEpoch {
    return this.#own.epoch;
  }

  /** Keys of the key service that open databases depend on. */
  get keysInUse(): number {
    return this.#keyWatch.keysInUse;
  }

  get openDatabases(): number {
    return this.#local.openCount;
  }

  /** Streams that keep a database open. */
  get openStreams(): number {
    return this.#local.openStreams;
  }

  /** What the log holds and no generation does. */
  get unfolded(): { readonly fragments: number; readonly bytes: number } {
    return this.#unfolded.total;
  }

  /** Commits that are not durable yet: the age of the oldest, and the bytes that wait to be handed to the store. */
  get logBacklog(): { readonly lagMs: number; readonly pendingBytes: number } {
    return { lagMs: this.#log.lagMs, pendingBytes: this.#log.pendingBytes };
  }

  /** Whether this node should be sent requests: it can reach the store, and keeps its databases. */
  get isReady(): boolean {
    return this.#state === 'serving' && this.#own.holds();
  }

  /** Whether another node could take over what this one gives up. */
  get hasPeers(): boolean {
    return this.#watch.candidates().length > 0;
  }

  /** Tells the other nodes where this one serves. Rejects when the epoch was ended meanwhile. */
  async serveAt(address: NodeAddress): Promise<void> {
    this.#watch.servesAt(address);
    await this.#own.change({ address }, { urgent: true });
  }

  /** Batches of usage that this node stored, and nobody collected. */
  get uncollectedUsage(): number {
    return this.#bundler.uncollected;
  }

  /**
   * Hands everything over: databases one by one as soon as nobody uses them, the rest with the end of the epoch. Requests
   * are passed on from then on. Throws when the epoch cannot be ended cleanly; another node will end it then.
   */
  async drain(): Promise<void> {
    if (this.#state !== 'serving') return;
    this.#state = 'draining';
    this.#sweep.stop();
    // At the same time: a rise of the mark that is under way rides on the same change.
    await Promise.all([this.#maintenance.freeze(), this.#own.change({ state: 'draining' }, { urgent: true })]);
    await this.#local.handOver();
    await this.#local.close();
    const { runtime, dataStore, report } = this.#options;
    // Not worth a failure of the rest.
    await this.#usage.store().catch((error: unknown) => report('usage was not stored', { error: String(error) }));
    await endEpoch(runtime, dataStore, this.#own, this.#log, () => this.#unfolded.byDatabase(), this.#formats);
  }

  /** Ends all that runs by itself. Without `drain` before it, the epoch ends as if the node had died. */
  async stop(): Promise<void> {
    this.#sweep.stop();
    this.#watch.stop();
    this.#keyWatch.stop();
    this.#usage.stop();
    await this.#own.stop();
    await this.#maintenance.stop();
  }

  /** A level that was raised is written from now on; one that this release does not read ends the node. */
  async #learnFormatLevel(): Promise<void> {
    const { runtime, dataStore, report } = this.#options;
    try {
      const { record } = await readFormatLevel(runtime, dataStore);
      // Where it is only announced, this node is asked before it is done.
      assertFormatLevelKnown({ version: record.version, level: record.level });
      if (record.level > this.#formats.current) report('format level raised', { level: record.level });
      this.#formats.learn(record.level);
    } catch (error) {
      if (isByocError(error, 'FORMAT_LEVEL_UNKNOWN')) this.#fence(error);
      else report('the format level cannot be read', { error: String(error) });
    }
  }

  #fence(cause: unknown): void {
    if (this.#state === 'fenced') return;
    this.#state = 'fenced';
    this.#options.observer?.fenced?.();
    void this.#maintenance.stop();
    this.#sweep.stop();
    this.#local.abandon(new ByocError('DATABASE_MOVED', 'another node has taken over the databases of this one'));
    this.#options.onFenced(cause);
  }
}
