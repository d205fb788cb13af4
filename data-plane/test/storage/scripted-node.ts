import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { foldDatabase } from '../../src/database/fold-database.js';
import type { NodeContext } from '../../src/database/node-context.js';
import { restoreTo, type OwnedDatabase } from '../../src/database/ready-database.js';
import { UnfoldedFragments } from '../../src/database/unfolded-fragments.js';
import { DatabaseFile } from '../../src/engine/pool/database-file.js';
import type { NodeEpoch } from '../../src/identity.js';
import type { Sealer } from '../../src/keys/sealing.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { claim } from '../../src/ownership/claim.js';
import { LogUpkeep, type LogUpkeepLimits } from '../../src/ownership/log-upkeep.js';
import { LowWaterMark, type LowWaterMarkOptions } from '../../src/ownership/low-water-mark.js';
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { RecoveredDatabases } from '../../src/ownership/recovered-databases.js';
import { createRecoveryRecord } from '../../src/ownership/recovery-record.js';
import { CommitLog, type CommitLogOptions, type LoggedDatabase } from '../../src/storage/commit-log.js';
import { chainStart, type Commit, type FragmentDigest } from '../../src/storage/fragment.js';
import type { FragmentLocation } from '../../src/storage/log-location.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { ManifestStore } from '../../src/storage/manifest-store.js';
import { atOnce } from '../../src/turns.js';
import { temporaryDirectory } from '../temporary-store.js';
import type { VirtualRuntime } from '../virtual-runtime.js';
import { databaseA, deployment, sampleSealer, type SampleDatabase } from './sample-database.js';
import { sampleManifest } from './sample-manifest.js';
import { StoredRecord } from './stored-record.js';

/** What the world outside knows of a database: its history, and how much of it was acknowledged. */
export interface World {
  readonly sample: SampleDatabase;
  acknowledged: number;
  /** Acknowledgements of commits that are not part of the history. */
  readonly forks: string[];
}

export interface ScriptedNodeOptions {
  readonly runtime: VirtualRuntime;
  readonly dataStore: ObjectStore;
  readonly logStore: ObjectStore;
  readonly epoch: NodeEpoch;
  readonly world: World;
  readonly sealer?: Sealer;
  /** How it learns what an ended epoch left. */
  readonly findRecovery?: NodeContext['findRecovery'];
  readonly makeLog?: (options: CommitLogOptions) => CommitLog;
  /** Packs its log, raises its mark and deletes below it when these bounds are passed. */
  readonly upkeep?: LogUpkeepLimits;
  /** Another mark, or another record of it. */
  readonly makeMark?: (options: LowWaterMarkOptions) => LowWaterMark;
}

/** A data node with one database and no engine: the real storage and ownership, driven call by call. */
export class ScriptedNode implements LoggedDatabase {
  readonly id = databaseA;
  readonly sealer: Sealer;
  chainDigest: FragmentDigest = chainStart;
  readonly #options: ScriptedNodeOptions;
  readonly #context: NodeContext;
  readonly #record: StoredRecord;
  readonly #upkeep: LogUpkeep | undefined;
  #owned: OwnedDatabase | undefined;
  #nextGeneration = 1;
  #durable = 0;
  #waiters: { commit: number; resolve: () => void }[] = [];

  constructor(options: ScriptedNodeOptions) {
    const { runtime, dataStore, epoch } = options;
    const logStore = new SingleLogStore(runtime, options.logStore);
    this.#options = options;
    this.sealer = options.sealer ?? sampleSealer(runtime);
    const makeLog = options.makeLog ?? ((logOptions) => new CommitLog(logOptions));
    const log = makeLog({
      runtime,
      store: logStore,
      epoch,
      windowMs: 1,
      maxObjectBytes: 1 << 20,
      maxInFlight: 4,
      onFenced: () => undefined,
      ...(options.upkeep && { firstPosition: 1, onStored: (object) => this.#upkeep?.onStored(object) }),
    });
    const stores = { runtime, dataStore, logStore };
    this.#context = {
      ...stores,
      deployment,
      epoch,
      log,
      manifests: new ManifestStore(runtime, dataStore),
      unfolded: new UnfoldedFragments(),
      findRecovery: options.findRecovery ?? (async (other) => recoverEpoch(stores, other, epoch)),
    } as Partial<NodeContext> as NodeContext;
    this.#record = new StoredRecord(runtime, dataStore, epoch);
    this.#upkeep = options.upkeep && this.#makeUpkeep(options.upkeep);
  }

  #makeUpkeep(limits: LogUpkeepLimits): LogUpkeep {
    const { runtime, epoch, dataStore, logStore, log, unfolded } = this.#context;
    const common = { epoch, stores: { runtime, dataStore, logStore }, log, unfolded };
    const makeMark = this.#options.makeMark ?? ((options) => new LowWaterMark(options));
    const mark = makeMark({ ...common, record: this.#record });
    // Failures show in what is found afterwards; a process that crashed fails all the time.
    return new LogUpkeep({ ...common, mark, limits, report: () => undefined });
  }

  get term(): number {
    return this.#opened.owned.manifest.term;
  }

  get log(): CommitLog {
    return this.#context.log;
  }

  async start(): Promise<void> {
    const { epoch, upkeep } = this.#options;
    if (upkeep) await this.#context.logStore.begin(epoch);
    await this.#record.create(upkeep ? { logBegun: true } : {});
  }

  async create(): Promise<void> {
    const { runtime, epoch } = this.#options;
    await this.#context.manifests.create(sampleManifest({ owner: epoch }, runtime));
  }

  /** Claims and restores the database. Throws when the file is not exactly an acknowledged or later state. */
  async open(): Promise<void> {
    const { epoch, world, runtime } = this.#options;
    const { manifests, findRecovery } = this.#context;
    const found = await manifests.read(this.id);
    if (!found) throw new Error('the database was never created');
    const owned = await claim(manifests, findRecovery, epoch, found);
    const unlocked = { sealer: this.sealer, follow: async () => undefined, wipe: () => undefined };
    this.#owned = { owned, unlocked };
    this.#nextGeneration = (owned.manifest.generation?.number ?? 0) + 1;
    const path = join(await temporaryDirectory(), 'db');
    const restored = await restoreTo(this.#context, this.#owned, async () => DatabaseFile.create(path));
    const image = await runtime.hold(readFile(path));
    await runtime.hold(rm(path));
    if (restored.commit < world.acknowledged) {
      throw new Error(`commit ${world.acknowledged} was acknowledged, only ${restored.commit} restored`);
    }
    if (!world.sample.images[restored.commit]?.equals(image)) throw new Error(`commit ${restored.commit} is torn`);
    world.sample.rewindTo(restored.commit);
    this.chainDigest = restored.chainDigest;
    this.#durable = restored.commit;
  }

  /** Takes a commit that was just made in the sample. */
  commit(commit: Commit): void {
    this.log.append(this, commit);
  }

  /** Resolves when everything committed so far is acknowledged. */
  async durable(): Promise<void> {
    const commit = this.#options.world.sample.commits.length;
    if (this.#durable >= commit) return;
    await new Promise<void>((resolve) => this.#waiters.push({ commit, resolve }));
  }

  onDurable(location: FragmentLocation, lastCommit: Commit): void {
    const { world } = this.#options;
    this.#context.unfolded.add(this.id, this.term, location);
    this.#durable = lastCommit.number;
    if (world.sample.commits[lastCommit.number - 1] === lastCommit) {
      world.acknowledged = Math.max(world.acknowledged, lastCommit.number);
    } else {
      world.forks.push(`epoch ${this.#options.epoch} acknowledged its own commit ${lastCommit.number}`);
    }
    for (const { commit, resolve } of this.#waiters) if (commit <= this.#durable) resolve();
  }

  async fold(): Promise<void> {
    const owned = await foldDatabase(this.#context, this.#opened, this.#nextGeneration++);
    this.#owned = { ...this.#opened, owned };
    this.#context.unfolded.folded(this.id, owned.manifest.generation?.commit ?? 0);
  }

  /** The clean end of the epoch. */
  async stop(): Promise<void> {
    const { runtime, dataStore, epoch } = this.#options;
    await this.#upkeep?.stop();
    const sealedAt = await this.log.seal();
    const databases = atOnce(RecoveredDatabases.from(this.#context.unfolded.byDatabase()));
    await createRecoveryRecord(runtime, dataStore, { epoch, sealedAt, databases });
    await this.#record.replace({ state: 'stopped' });
  }

  get #opened(): OwnedDatabase {
    if (!this.#owned) throw new Error('the database is not open');
    return this.#owned;
  }
}
