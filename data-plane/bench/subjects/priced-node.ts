import { foldDatabase, isFoldDue } from '@turso-byoc/data-plane/database/fold-database.js';
import type { NodeContext } from '@turso-byoc/data-plane/database/node-context.js';
import type { OwnedDatabase } from '@turso-byoc/data-plane/database/ready-database.js';
import { UnfoldedFragments } from '@turso-byoc/data-plane/database/unfolded-fragments.js';
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import { Sealer } from '@turso-byoc/data-plane/keys/sealing.js';
import { commitLogLimits, logMaintenance, recentLogBytes } from '@turso-byoc/data-plane/node/limits.js';
import { LogMaintenance } from '@turso-byoc/data-plane/node/log-maintenance.js';
import { CommitLog, type LoggedDatabase } from '@turso-byoc/data-plane/storage/commit-log.js';
import { chainStart, pageBytes, type Commit, type FragmentDigest } from '@turso-byoc/data-plane/storage/fragment.js';
import type { FragmentLocation } from '@turso-byoc/data-plane/storage/log-location.js';
import { RecentEntries } from '@turso-byoc/data-plane/storage/log-store/recent-entries.js';
import { SingleLogStore } from '@turso-byoc/data-plane/storage/log-store/single-log-store.js';
import { ManifestStore } from '@turso-byoc/data-plane/storage/manifest-store.js';
import type { MemoryStore } from './memory-store.js';
import type { VirtualClock } from './virtual-clock.js';

const epoch = 'a'.repeat(32) as NodeEpoch;
const deployment = 'd'.repeat(32);
const mebibyte = 2 ** 20;

/** The log, packs, marks and folds of a node, without engines: commits are made up. */
export class PricedNode {
  readonly context: NodeContext;
  readonly #maintenance: LogMaintenance;
  readonly databases: PricedDatabase[] = [];

  constructor(runtime: VirtualClock, dataStore: MemoryStore, logs: MemoryStore) {
    const logStore = new RecentEntries(new SingleLogStore(runtime, logs), recentLogBytes);
    const unfolded = new UnfoldedFragments();
    const log = new CommitLog({
      runtime,
      store: logStore,
      epoch,
      firstPosition: 1,
      windowMs: 10,
      ...commitLogLimits,
      onStored: (object) => this.#maintenance.onStored(object),
      onFenced: (cause) => {
        throw new Error('the log was fenced', { cause });
      },
    });
    const manifests = new ManifestStore(runtime, dataStore);
    this.context = {
      runtime,
      deployment,
      epoch,
      dataStore,
      logStore,
      log,
      manifests,
      unfolded,
      policy: { foldMinBytes: mebibyte, foldMaxBytes: 64 * mebibyte, foldFragments: 256 } as NodeContext['policy'],
    } as Partial<NodeContext> as NodeContext;
    this.#maintenance = new LogMaintenance({
      epoch,
      stores: { runtime, dataStore, logStore },
      manifests,
      // The mark rides on the beats that keep the lease, which are counted by themselves.
      record: { change: async () => runtime.sleep(250) },
      log,
      unfolded,
      livingNodes: () => [],
      settle: async () => undefined,
      settings: logMaintenance,
      report: (event, fields) => {
        throw new Error(`${event}: ${JSON.stringify(fields)}`);
      },
    });
  }

  async create(id: DatabaseId, pages: number): Promise<PricedDatabase> {
    const key = {
      number: 1,
      mode: 'kms' as const,
      keyId: 'k',
      wrapped: 'AAAA',
      context: { deployment, organization: 'o', group: 'g', database: id },
    };
    await this.context.manifests.create({
      version: 1,
      deployment,
      id,
      name: 'n',
      organization: 'o',
      group: { id: 'g', name: 'g' },
      engine: 'libsql',
      createdAtMs: 0,
      reservedBytes: 0,
      encryption: { mode: 'kms' },
      term: 1,
      owner: epoch,
      currentKey: 1,
      keys: [key],
      tail: [],
    });
    const owned = await this.context.manifests.read(id);
    if (!owned) throw new Error('the manifest is missing');
    const sealer = new Sealer(this.context.runtime, deployment, id, {
      current: 1,
      keys: new Map([[1, Buffer.alloc(32, 7)]]),
    });
    const unlocked = { sealer, follow: async () => Promise.resolve(), wipe: () => undefined };
    const database = new PricedDatabase(this.context, { owned, unlocked }, pages);
    this.databases.push(database);
    return database;
  }
}

/** One database: every commit changes one page, and it is folded when that is due. */
export class PricedDatabase implements LoggedDatabase {
  readonly id: DatabaseId;
  readonly term = 1;
  chainDigest: FragmentDigest = chainStart;
  folds = 0;
  #commits = 0;
  #folding = false;

  constructor(
    private readonly context: NodeContext,
    private owned: OwnedDatabase,
    private readonly pages: number,
  ) {
    this.id = owned.owned.manifest.id;
  }

  get sealer(): Sealer {
    return this.owned.unlocked.sealer;
  }

  commit(): void {
    const number = ++this.#commits;
    const record = Buffer.alloc(4 + pageBytes, number);
    record.writeUInt32LE(1 + ((number * 7) % this.pages));
    const timeMs = this.context.runtime.nowMs() + number;
    this.context.log.append(this, { number, timeMs, databasePages: this.pages, pages: [record] });
  }

  onDurable(location: FragmentLocation, _last: Commit): void {
    this.context.unfolded.add(this.id, this.term, location);
    if (this.#folding || !isFoldDue(this.context, this.owned.owned.manifest, this.pages, 0)) return;
    this.#folding = true;
    void this.fold().finally(() => (this.#folding = false));
  }

  async fold(): Promise<void> {
    const owned = await foldDatabase(this.context, this.owned, this.folds + 1);
    this.owned = { ...this.owned, owned };
    this.context.unfolded.folded(this.id, owned.manifest.generation?.commit ?? 0);
    this.folds += 1;
  }
}
