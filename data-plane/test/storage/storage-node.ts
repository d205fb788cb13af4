import { changeWrapping, type WrappingChange } from '../../src/database/change-wrapping.js';
import { admittedKey } from '../../src/database/client-key-admission.js';
import { branchDatabase } from '../../src/database/branch-database.js';
import { collectClosed, collectDatabase } from '../../src/database/collect-database.js';
import { createDatabase, deleteDatabase, undeleteDatabase } from '../../src/database/database-records.js';
import type { NewClientKey, NewDatabase } from '../../src/database/database-service.js';
import { settleDatabase } from '../../src/database/settle-database.js';
import { foldDatabase } from '../../src/database/fold-database.js';
import { changeHold, changeHoldOfClosed, type HoldChange } from '../../src/database/hold-database.js';
import { GenerationNumbers } from '../../src/database/generation-numbers.js';
import type { DatabasePolicy, NodeContext } from '../../src/database/node-context.js';
import { own, restoreTo, unfoldedRanges, type OwnedDatabase } from '../../src/database/ready-database.js';
import { rekeyDatabase, resealStep } from '../../src/database/rekey-database.js';
import { UnfoldedFragments } from '../../src/database/unfolded-fragments.js';
import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import type { Sealer } from '../../src/keys/sealing.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import type { ObjectVersions } from '../../src/object-store/object-versions.js';
import { createNodeRecord } from '../../src/ownership/node-record.js';
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { CommitLog, type LoggedDatabase } from '../../src/storage/commit-log.js';
import { isResealing } from '../../src/storage/data-key-use.js';
import { ciphers } from '../../src/keys/ciphers.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { chainStart, type Commit, type FragmentDigest } from '../../src/storage/fragment.js';
import type { FragmentLocation } from '../../src/storage/log-location.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import type { Manifest } from '../../src/storage/manifest.js';
import { ManifestStore } from '../../src/storage/manifest-store.js';
import type { Moment } from '../../src/storage/moment.js';
import { NameStore } from '../../src/storage/name-store.js';
import { restoreAt } from '../../src/storage/restore-point.js';
import { MemoryFile } from '../memory-file.js';
import { MemoryKeyService } from '../memory-key-service.js';
import { MemoryStore } from '../memory-store.js';
import type { SeededRandom } from '../seeded-random.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { deployment, SampleDatabase } from './sample-database.js';

const dayMs = 86_400_000;

/** Stores, keys and clock of a deployment, and what its databases must hold. */
export class StorageWorld {
  readonly dataStore = new MemoryStore();
  readonly logStore = new MemoryStore();
  readonly runtime: VirtualRuntime;
  readonly keys: MemoryKeyService;
  readonly samples: Map<DatabaseId, SampleDatabase>;
  /** Keys that the clients of databases hold; to be set before such a database is created, or its branch. */
  readonly clientKeys: Map<DatabaseId, NewClientKey>;
  #nodes: number;

  /** `other`: one with the same keys and clock, whose databases must be in these stores, too. */
  constructor(other?: StorageWorld) {
    this.runtime = other?.runtime ?? new VirtualRuntime();
    this.keys = other?.keys ?? new MemoryKeyService(this.runtime);
    this.samples = new Map([...(other?.samples ?? [])].map(([id, sample]) => [id, sample.fork(sample.commits.length)]));
    this.clientKeys = new Map(other?.clientKeys);
    this.#nodes = other ? other.#nodes + 1000 : 0;
  }

  /** A node on these stores, which it may see through others. */
  async node(
    see: (store: ObjectStore) => ObjectStore = (store) => store,
    policy: Partial<DatabasePolicy> = {},
    dataVersions: ObjectVersions = this.dataStore.versions,
  ): Promise<StorageNode> {
    const epoch = (++this.#nodes).toString(16).padStart(32, '0') as NodeEpoch;
    const node = new StorageNode(this, epoch, see(this.dataStore), see(this.logStore), policy, dataVersions);
    await createNodeRecord(this.runtime, this.dataStore, epoch);
    return node;
  }

  sample(id: DatabaseId): SampleDatabase {
    const sample = this.samples.get(id);
    if (!sample) throw new Error(`no sample ${id}`);
    return sample;
  }
}

export function sampleId(number: number): DatabaseId {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}` as DatabaseId;
}

export function newDatabase(id: DatabaseId, name = `db-${id.slice(-4)}`): NewDatabase {
  return { id, name, organization: 'acme', group: { id: 'g1', name: 'default' }, engine: 'libsql' };
}

/** The storage of a data node without servers and engines, driven call by call. */
export class StorageNode {
  readonly context: NodeContext;

  constructor(
    readonly world: StorageWorld,
    readonly epoch: NodeEpoch,
    dataStore: ObjectStore,
    logObjects: ObjectStore,
    policy: Partial<DatabasePolicy>,
    dataVersions: ObjectVersions,
  ) {
    const { runtime, keys } = world;
    const logStore = new SingleLogStore(runtime, logObjects);
    this.context = {
      runtime,
      deployment,
      epoch,
      dataStore,
      dataVersions,
      logStore,
      keys,
      names: new NameStore(runtime, dataStore),
      manifests: new ManifestStore(runtime, dataStore),
      log: new CommitLog({
        runtime,
        store: logStore,
        epoch,
        windowMs: 1,
        maxObjectBytes: 1 << 20,
        maxInFlight: 4,
        onFenced: () => undefined,
      }),
      unfolded: new UnfoldedFragments(),
      generationNumbers: new GenerationNumbers(),
      findRecovery: async (other) => recoverEpoch({ runtime, dataStore, logStore }, other, epoch),
      policy: { historyMs: 35 * dayMs, undeleteMs: 7 * dayMs, resealBytes: 2 ** 20, ...policy },
      report: () => undefined,
      prefetch: () => undefined,
    } as Partial<NodeContext> as NodeContext;
  }

  async create(id: DatabaseId, name?: string): Promise<StoredSample> {
    const encryption = this.world.clientKeys.get(id);
    const reserved = encryption?.cipher === undefined ? 0 : ciphers[encryption.cipher].reservedBytes;
    await createDatabase(this.context, this.newDatabase(id, name));
    this.world.samples.set(id, new SampleDatabase(emptyDatabaseImage(reserved)));
    return this.open(id);
  }

  /** What a creation asks for, the key that the client holds included. */
  newDatabase(id: DatabaseId, name?: string): NewDatabase {
    const encryption = this.world.clientKeys.get(id);
    return { ...newDatabase(id, name), ...(encryption && { encryption }) };
  }

  /** Takes the database over, if it is another node's, and goes on with it. Throws when it is not as it must be. */
  async open(id: DatabaseId): Promise<StoredSample> {
    return this.world.runtime.run(StoredSample.open(this, id));
  }

  async delete(id: DatabaseId): Promise<void> {
    await this.world.runtime.run(deleteDatabase(this.context, id));
  }

  async undelete(id: DatabaseId, newName?: string): Promise<void> {
    await undeleteDatabase(this.context, id, newName);
  }

  /** Makes a database that is not open independent of every log. */
  async settle(id: DatabaseId): Promise<void> {
    await this.world.runtime.run(settleDatabase(this.context, id));
  }

  /** Collects a database that is not open, or deleted. */
  async collect(id: DatabaseId): Promise<void> {
    const found = await this.context.manifests.read(id);
    if (!found) throw new Error(`no manifest of ${id}`);
    await this.world.runtime.run(collectClosed(this.context, found));
  }

  /** Places or releases a legal hold of a database that is not open, or deleted. */
  async changeHold(id: DatabaseId, change: HoldChange): Promise<void> {
    const found = await this.context.manifests.read(id);
    if (!found) throw new Error(`no manifest of ${id}`);
    await this.world.runtime.run(changeHoldOfClosed(this.context, found, change));
  }

  /** Keys of the objects that lie below a database's prefix. */
  objectsOf(id: DatabaseId): string[] {
    return [...this.world.dataStore.objects.keys()]
      .filter((key) => key.startsWith('objects/') && key.includes(id))
      .sort();
  }

  async manifest(id: DatabaseId): Promise<Manifest> {
    const found = await this.context.manifests.read(id);
    if (!found) throw new Error(`no manifest of ${id}`);
    return found.manifest;
  }
}

/** A database that a node owns, and the model that says what it must hold. */
export class StoredSample implements LoggedDatabase {
  chainDigest: FragmentDigest = chainStart;
  owned: OwnedDatabase;
  #nextGeneration: number;
  #durable = 0;
  #waiters: { commit: number; resolve: () => void }[] = [];

  private constructor(
    readonly node: StorageNode,
    readonly id: DatabaseId,
    owned: OwnedDatabase,
  ) {
    this.owned = owned;
    this.#nextGeneration = (owned.owned.manifest.generation?.number ?? 0) + 1;
  }

  static async open(node: StorageNode, id: DatabaseId): Promise<StoredSample> {
    const presented = node.world.clientKeys.get(id);
    const sample = new StoredSample(node, id, await own(node.context, id, { presented }));
    const file = new MemoryFile();
    const restored = await restoreTo(node.context, sample.owned, async () => file);
    const image = sample.sample.images[restored.commit];
    if (!image?.equals(file.bytes)) throw new Error(`commit ${restored.commit} of ${id} is torn`);
    if (restored.commit !== sample.sample.commits.length) throw new Error(`commit ${restored.commit} is not the last`);
    sample.chainDigest = restored.chainDigest;
    sample.#durable = restored.commit;
    return sample;
  }

  get sample(): SampleDatabase {
    return this.node.world.sample(this.id);
  }

  get term(): number {
    return this.owned.owned.manifest.term;
  }

  get sealer(): Sealer {
    return this.owned.unlocked.sealer;
  }

  get manifest(): Manifest {
    return this.owned.owned.manifest;
  }

  /** Makes commits, some of them in one fragment, and waits until they are durable. */
  async write(random: SeededRandom, commits: number, maxPages = 40): Promise<void> {
    const { runtime } = this.node.world;
    for (let left = commits; left > 0; left--) {
      const made = this.sample.writeRandomly(random, maxPages);
      const before = this.sample.commits.at(-2)?.timeMs ?? 0;
      const timed = { ...made, timeMs: Math.max(runtime.nowMs(), before + 1) };
      this.sample.commits[this.sample.commits.length - 1] = timed;
      this.node.context.log.append(this, timed);
      if (random.below(2) === 0) await this.durable();
      if (random.below(3) === 0) await runtime.advance(1 + random.below(20));
    }
    await this.durable();
  }

  async durable(): Promise<void> {
    const commit = this.sample.commits.length;
    if (this.#durable >= commit) return;
    await this.node.world.runtime.run(
      new Promise<void>((resolve) => {
        this.#waiters.push({ commit, resolve });
      }),
    );
  }

  onDurable(location: FragmentLocation, lastCommit: Commit): void {
    this.node.context.unfolded.add(this.id, this.term, location);
    this.#durable = lastCommit.number;
    for (const { commit, resolve } of this.#waiters) if (commit <= this.#durable) resolve();
  }

  async fold(): Promise<void> {
    const folding = foldDatabase(this.node.context, this.owned, this.#nextGeneration++);
    this.adopt(await this.node.world.runtime.run(folding));
  }

  async collect(): Promise<void> {
    this.adopt(await this.node.world.runtime.run(collectDatabase(this.node.context, this.owned.owned)));
    await this.owned.unlocked.follow(this.manifest);
  }

  /** Takes another data key; what exists stays sealed as it is until `reseal`. */
  async rekey(dropHistory = false): Promise<void> {
    const encryption = this.node.world.clientKeys.get(this.id);
    const request = { replaces: this.manifest.currentKey, dropHistory, ...(encryption && { encryption }) };
    this.adopt(await this.node.world.runtime.run(rekeyDatabase(this.node.context, this.owned.owned, request)));
    const client = admittedKey(this.manifest, encryption);
    await this.owned.unlocked.follow(this.manifest, client);
    client?.wipe();
  }

  /** Has its data keys wrapped by somebody else's key. */
  async changeWrapping(change: WrappingChange): Promise<void> {
    this.adopt(await this.node.world.runtime.run(changeWrapping(this.node.context, this.owned.owned, change)));
    await this.owned.unlocked.follow(this.manifest);
  }

  async changeHold(change: HoldChange): Promise<void> {
    this.adopt(await this.node.world.runtime.run(changeHold(this.node.context, this.owned.owned, change)));
  }

  async resealOnce(): Promise<void> {
    await this.durable();
    this.adopt(await this.node.world.runtime.run(resealStep(this.node.context, this.owned, this.#nextGeneration++)));
  }

  async reseal(): Promise<void> {
    while (isResealing(this.manifest)) await this.resealOnce();
  }

  adopt(owned: OwnedDatabase['owned']): void {
    this.owned = { ...this.owned, owned };
    this.node.context.unfolded.folded(this.id, owned.manifest.generation?.commit ?? 0);
  }

  /** Branches from now, or from a moment, which is commit `commit` of the model. */
  async branch(id: DatabaseId, moment?: Moment, commit = this.sample.commits.length): Promise<StoredSample> {
    await this.branchWithoutOpening(id, moment, commit);
    return this.node.open(id);
  }

  async branchWithoutOpening(id: DatabaseId, moment?: Moment, commit = this.sample.commits.length): Promise<void> {
    this.node.world.samples.set(id, this.sample.fork(commit));
    const branching = branchDatabase(this.node.context, this.owned, this.node.newDatabase(id), moment);
    const { parent } = await this.node.world.runtime.run(branching);
    this.adopt(parent);
  }

  /** The file as it was at a moment. */
  async imageAt(moment: Moment): Promise<Buffer> {
    const { runtime, dataStore, logStore } = this.node.context;
    const file = new MemoryFile();
    const { sealer, manifest } = this;
    const ranges = unfoldedRanges(this.node.context, manifest);
    const input = { runtime, dataStore, logStore, sealer, manifest, ranges };
    await this.node.world.runtime.run(restoreAt(file, input, moment));
    return file.bytes;
  }

  /** Throws unless every commit from `first` on can be gone back to. */
  async assertHistory(first = 0): Promise<void> {
    for (let commit = first; commit <= this.sample.commits.length; commit++) {
      const image = await this.imageAt({ commit });
      if (!this.sample.images[commit]?.equals(image)) throw new Error(`commit ${commit} of ${this.id} is not there`);
    }
  }
}
