import { writeLog } from '../../test/storage/epoch-log.js';
import { databaseA, databaseB, epochA, epochB, epochC } from '../../test/storage/sample-database.js';
import { sampleManifest } from '../../test/storage/sample-manifest.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { DatabaseId } from '../identity.js';
import { CountingObjectStore } from '../metering/counting-object-store.js';
import { StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import type { LogRange } from '../storage/log-location.js';
import { isSeal } from '../storage/log-object.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import type { Manifest } from '../storage/manifest.js';
import { ManifestStore } from '../storage/manifest-store.js';
import { logObjectName, packName } from '../storage/object-names.js';
import { LogCollector } from './log-collector.js';
import { readNodeRecord } from './node-record.js';
import { recoverEpoch } from './recover-epoch.js';
import { readRecoveryRecord } from './recovery-record.js';
import { markUncollected, uncollectedEpochs } from './uncollected-logs.js';

const rangeOfA: LogRange = { epoch: epochA, term: 1, fragments: [[0, 0, 10, 1, 1]] };

afterEach(removeTemporaryDirectories);

class Scene {
  readonly runtime = new VirtualRuntime();
  readonly reports: [string, unknown][] = [];
  readonly settled: DatabaseId[] = [];
  requests = 0;
  refusal: Error | undefined;
  isMine = true;

  private constructor(
    readonly realData: ObjectStore,
    readonly realLog: ObjectStore,
  ) {}

  /** Epoch A logged three objects of database A and has ended; the manifest is as `manifest` says. */
  static async create(manifest: Partial<Manifest>): Promise<Scene> {
    const scene = new Scene(await temporaryStore(), await temporaryStore());
    const { runtime, realData, realLog } = scene;
    await markUncollected(runtime, realData, epochA);
    await markUncollected(runtime, realData, epochB);
    await writeLog({ dataStore: realData, logStore: realLog }, epochA, [0, 1, 2]);
    await realData.put(packName(epochA, 1), Buffer.from('a pack that nobody names'), { ifAbsent: true });
    const logStore = new SingleLogStore(runtime, realLog);
    await recoverEpoch({ runtime, dataStore: realData, logStore }, epochA, epochB);
    // What it wrote after its seal is garbage.
    await realLog.put(logObjectName(epochA, 5), Buffer.from('late'), { ifAbsent: true });
    await scene.manifests.create(sampleManifest(manifest));
    return scene;
  }

  get manifests(): ManifestStore {
    return new ManifestStore(this.runtime, this.counted(this.realData));
  }

  counted(store: ObjectStore): ObjectStore {
    const { runtime } = this;
    const held: ObjectStore = {
      get: (key) => runtime.hold(store.get(key)),
      getRange: (key, start, length) => runtime.hold(store.getRange(key, start, length)),
      put: (key, body, condition) => runtime.hold(store.put(key, body, condition)),
      delete: (key) => runtime.hold(store.delete(key)),
      list: (prefix, options) => runtime.hold(store.list(prefix, options)),
    };
    return new CountingObjectStore(held, runtime, () => (this.requests += 1));
  }

  /** Claims, folds and releases; refused when the scene says so. */
  async settle(database: DatabaseId): Promise<void> {
    if (this.refusal) throw this.refusal;
    this.settled.push(database);
    const found = await this.manifests.read(database);
    if (!found) throw new Error('no manifest');
    const { owner: _owner, ...manifest } = found.manifest;
    const generation = { term: manifest.term, number: 1, digest: '0'.repeat(64), commit: 3, commitTimeMs: 1 };
    await this.manifests.replace(found, { ...manifest, term: manifest.term + 1, generation, tail: [] });
  }

  collector(logStore: ObjectStore = this.realLog): LogCollector {
    return new LogCollector({
      runtime: this.runtime,
      dataStore: this.counted(this.realData),
      logStore: new SingleLogStore(this.runtime, this.counted(logStore)),
      manifests: this.manifests,
      own: epochC,
      isMine: () => this.isMine,
      settle: async (database) => this.settle(database),
      pace: { looksPerSecond: 100, settlesPerSecond: 5, graceMs: 10_000 },
      delayMs: 1_000,
      retryMs: 3_600_000,
      report: (event, { error }) => this.reports.push([event, error]),
    });
  }

  async left(): Promise<string[]> {
    const log = (await this.realLog.list('log/')).keys.map((key) => key.slice(-1));
    const packs = (await this.realData.list('packs/')).keys.map((key) => `pack ${key.slice(-1)}`);
    return [...log, ...packs];
  }
}

const everything = ['0', '1', '2', '3', '5', 'pack 1'];

/** Lets a collector do what it does within ten minutes. */
async function collect(scene: Scene): Promise<LogCollector> {
  const collector = scene.collector();
  collector.look();
  await scene.runtime.advance(600_000);
  return collector;
}

describe('collection of the log of an ended epoch', () => {
  it.each<[string, Partial<Manifest>]>([
    ['another epoch owns the database', { owner: epochC }],
    [
      'the epoch owns it still, and everything is folded',
      { generation: { term: 1, number: 1, digest: '0'.repeat(64), commit: 3, commitTimeMs: 1 } },
    ],
    ['its owner was another epoch when it was deleted', { owner: epochC, deletedAtMs: 1 }],
  ])('deletes log and packs when %s, and leaves the seal and the records', async (_what, manifest) => {
    const scene = await Scene.create(manifest);
    await collect(scene);
    expect(scene.reports).toEqual([]);
    expect(scene.settled).toEqual([]);
    expect(await scene.left()).toEqual(['0', '3']);
    expect(isSeal((await scene.realLog.get(logObjectName(epochA, 3)))?.body as Buffer)).toBe(true);
    expect((await readNodeRecord(scene.runtime, scene.realData, epochA)).record.state).toBe('condemned');
    expect((await readRecoveryRecord(scene.runtime, scene.realData, epochA))?.sealedAt).toBe(3);
    // Epoch B lives.
    expect(await uncollectedEpochs(scene.runtime, scene.realData)).toEqual([epochB]);
  });

  it.each<[string, Partial<Manifest>]>([
    ['owns a database with something unfolded', {}],
    ['is in the tail of a database', { owner: epochC, term: 2, tail: [rangeOfA] }],
    ['is in the tail of a deleted one', { owner: epochC, term: 2, tail: [rangeOfA], deletedAtMs: 1 }],
  ])('settles databases first when the epoch %s', async (_what, manifest) => {
    const scene = await Scene.create(manifest);
    await collect(scene);
    expect(scene.settled).toEqual([databaseA]);
    expect(await scene.left()).toEqual(['0', '3']);
  });

  it('deletes nothing when a database cannot be settled, says so, and tries again much later', async () => {
    const scene = await Scene.create({});
    scene.refusal = new Error('the key is refused');
    const collector = await collect(scene);
    expect(await scene.left()).toEqual(everything);
    const held = 'database keeps the log of an ended epoch';
    expect(scene.reports).toEqual([[held, 'Error: the key is refused']]);
    const { requests } = scene;
    await scene.runtime.advance(1_800_000);
    expect(scene.requests).toBe(requests);
    scene.refusal = undefined;
    await scene.runtime.advance(3_600_000);
    expect(await scene.left()).toEqual(['0', '3']);
    await collector.stop();
  });

  it('does not believe that a database was settled, but looks', async () => {
    const scene = await Scene.create({});
    scene.settle = async () => undefined;
    const collector = await collect(scene);
    expect(await scene.left()).toEqual(everything);
    expect(scene.reports).toHaveLength(1);
    await collector.stop();
  });

  it('deletes nothing when a manifest is missing', async () => {
    const scene = await Scene.create({ id: databaseB });
    const collector = await collect(scene);
    expect(await scene.left()).toEqual(everything);
    expect(scene.reports).toEqual([[expect.any(String), expect.stringContaining(databaseA)]]);
    await collector.stop();
  });

  it('leaves an epoch that is not recovered, or is for another node', async () => {
    const scene = await Scene.create({ owner: epochC });
    scene.isMine = false;
    await collect(scene);
    expect(await scene.left()).toEqual(everything);
    expect(scene.reports).toEqual([]);
  });

  it('makes no more requests, and has no timer, when everything is collected', async () => {
    const scene = await Scene.create({});
    const collector = await collect(scene);
    expect(scene.runtime.timers).toBe(0);
    const { requests } = scene;
    await scene.runtime.advance(86_400_000);
    expect(scene.requests).toBe(requests);
    collector.look();
    await scene.runtime.advance(600_000);
    // The list of markers, and whether the living epoch has a recovery record.
    expect(scene.requests).toBe(requests + 2);
  });

  it('goes on where it was, at every point where it may have been cut off', async () => {
    for (let allowed = 0; allowed < 7; allowed++) {
      const scene = await Scene.create({ owner: epochC });
      let deletions = 0;
      const failing: ObjectStore = Object.assign(Object.create(scene.realLog) as ObjectStore, {
        getRange: scene.realLog.getRange.bind(scene.realLog),
        delete: async (key: string) => {
          if (deletions++ >= allowed) throw new StoreUnavailableError('simulated');
          await scene.realLog.delete(key);
        },
      });
      const collector = scene.collector(failing);
      collector.look();
      await scene.runtime.advance(60_000);
      await collector.stop();
      expect(await uncollectedEpochs(scene.runtime, scene.realData)).toHaveLength(allowed < 6 ? 2 : 1);
      await collect(scene);
      expect(await scene.left()).toEqual(['0', '3']);
      await removeTemporaryDirectories();
    }
  });

  it('does not keep a node from stopping while it waits to delete', async () => {
    const scene = await Scene.create({ owner: epochC });
    const collector = scene.collector();
    collector.look();
    // Within ten seconds of grace.
    await scene.runtime.advance(4_000);
    const askedMs = scene.runtime.monotonicMs();
    await scene.runtime.run(collector.stop());
    expect(scene.runtime.monotonicMs() - askedMs).toBeLessThanOrEqual(1_000);
    expect(await scene.left()).toEqual(everything);
    expect(scene.runtime.timers).toBe(0);
  });

  it('stops in the middle', async () => {
    const scene = await Scene.create({});
    const collector = scene.collector();
    collector.look();
    await scene.runtime.advance(2_005);
    const stopping = collector.stop();
    await scene.runtime.run(stopping);
    await scene.runtime.advance(600_000);
    expect(await scene.left()).toEqual(everything);
    expect(scene.runtime.timers).toBe(0);
  });
});
