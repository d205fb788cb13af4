import { LoggedSample, upTo } from '../../test/storage/logged-sample.js';
import { databaseA, databaseB, epochA, epochB } from '../../test/storage/sample-database.js';
import { StoredRecord } from '../../test/storage/stored-record.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { UnfoldedFragments } from '../database/unfolded-fragments.js';
import { StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import { CommitLog } from '../storage/commit-log.js';
import type { Commit } from '../storage/fragment.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { logObjectName, packName } from '../storage/object-names.js';
import { LogUpkeep, type LogUpkeepLimits } from './log-upkeep.js';
import { LowWaterMark, type MarkChange, type MarkRecord } from './low-water-mark.js';
import { readNodeRecord, type NodeRecord } from './node-record.js';
import { recoverEpoch } from './recover-epoch.js';
import { recoveredFragments } from './recovery-record.js';

const limits: LogUpkeepLimits = {
  maxRetainedPositions: 8,
  maxRetainedBytes: 1 << 20,
  maxPackBytes: 1 << 20,
  fanOut: 3,
};

afterEach(removeTemporaryDirectories);

/** A database in the log, with its fragments in the epoch's list. */
class Listed extends LoggedSample {
  constructor(
    private readonly unfolded: UnfoldedFragments,
    ...args: ConstructorParameters<typeof LoggedSample>
  ) {
    super(...args);
  }

  override onDurable(location: FragmentLocation, lastCommit: Commit): void {
    super.onDurable(location, lastCommit);
    this.unfolded.add(this.id, this.term, location);
  }
}

class Epoch {
  readonly runtime = new VirtualRuntime();
  readonly unfolded = new UnfoldedFragments();
  readonly reports: string[] = [];
  readonly a = new Listed(this.unfolded, databaseA, 1, this.runtime);
  readonly b = new Listed(this.unfolded, databaseB, 1, this.runtime);
  readonly log: CommitLog;
  readonly logs: LogStore;
  readonly upkeep: LogUpkeep;

  private constructor(
    readonly dataStore: ObjectStore,
    readonly logStore: ObjectStore,
    readonly stored: StoredRecord,
    record: MarkRecord,
    changed: Partial<LogUpkeepLimits>,
  ) {
    const { runtime, unfolded } = this;
    this.logs = new SingleLogStore(runtime, logStore);
    this.log = new CommitLog({
      runtime,
      epoch: epochA,
      store: this.logs,
      windowMs: 1,
      maxObjectBytes: 1 << 20,
      maxInFlight: 4,
      onFenced: () => undefined,
      onStored: (object) => this.upkeep.onStored(object),
    });
    const { log } = this;
    const common = { epoch: epochA, stores: { runtime, dataStore, logStore: this.logs }, log, unfolded };
    const mark = new LowWaterMark({ ...common, record });
    this.upkeep = new LogUpkeep({
      ...common,
      mark,
      limits: { ...limits, ...changed },
      report: (event, { error }) => this.reports.push(`${event}: ${String(error)}`),
    });
  }

  static async create(
    changed: Partial<LogUpkeepLimits> = {},
    makeRecord: (record: StoredRecord) => MarkRecord = (record) => record,
    seen: (store: ObjectStore, runtime: () => VirtualRuntime) => ObjectStore = (store) => store,
  ): Promise<Epoch> {
    const made: Epoch[] = [];
    const runtime = (): VirtualRuntime => (made[0] as Epoch).runtime;
    const [dataStore, logStore] = [await temporaryStore(), await temporaryStore()].map((store) =>
      seen(held(store, runtime), runtime),
    ) as [ObjectStore, ObjectStore];
    const record = new StoredRecord(new VirtualRuntime(), dataStore, epochA);
    const epoch = new Epoch(dataStore, logStore, record, makeRecord(record), changed);
    made.push(epoch);
    await record.create();
    return epoch;
  }

  /** Commits one after the other, each in a log object of its own. */
  async commit(count: number, ...databases: readonly LoggedSample[]): Promise<void> {
    for (; count > 0; count--) {
      for (const database of databases) database.commitTo(this.log);
      await this.runtime.advance(5);
    }
  }

  async record(): Promise<NodeRecord> {
    return (await readNodeRecord(this.runtime, this.dataStore, epochA)).record;
  }

  async positions(): Promise<number[]> {
    return (await this.logStore.list('log/')).keys.map((key) => Number(key.split('/').at(-1)));
  }

  async packs(): Promise<number[]> {
    return (await this.dataStore.list('packs/')).keys.map((key) => Number(key.split('/').at(-1)));
  }

  /** What a reader finds where the list says. */
  async readable(database: LoggedSample): Promise<number[]> {
    const { fragments } = this.unfolded.of(database.id, 1);
    return database.read(this.logStore, epochA, fragments, this.dataStore);
  }
}

/** Virtual time stands still while the real store works. */
function held(store: ObjectStore, runtime: () => VirtualRuntime): ObjectStore {
  return {
    get: (key) => runtime().hold(store.get(key)),
    getRange: (key, start, length) => runtime().hold(store.getRange(key, start, length)),
    put: (key, body, condition) => runtime().hold(store.put(key, body, condition)),
    delete: (key) => runtime().hold(store.delete(key)),
    list: (prefix, options) => runtime().hold(store.list(prefix, options)),
  };
}

describe('upkeep of a log', () => {
  it('does nothing, and sets no timer, while the log is short', async () => {
    const epoch = await Epoch.create();
    await epoch.commit(8, epoch.a);
    await epoch.runtime.advance(60_000);
    expect(epoch.runtime.timers).toBe(0);
    expect(await epoch.packs()).toEqual([]);
    expect((await epoch.record()).version).toBe(1);
  });

  it('packs a log that has grown too long, whatever lies in it, and keeps every commit readable', async () => {
    const epoch = await Epoch.create();
    await epoch.commit(9, epoch.a, epoch.b);
    await epoch.runtime.advance(60_000);
    expect(await epoch.record()).toMatchObject({ lowWaterPosition: 9, packs: [1], version: 2 });
    // The beginning of a log stays for ever.
    expect(await epoch.positions()).toEqual([0]);
    expect(epoch.unfolded.of(databaseA, 1).fragments).toHaveLength(1);
    for (const database of [epoch.a, epoch.b]) expect(await epoch.readable(database)).toEqual(upTo(9));
    expect(epoch.runtime.timers).toBe(0);
    expect(epoch.reports).toEqual([]);
  });

  it('packs when the bytes are too many, into packs that are not too large', async () => {
    const epoch = await Epoch.create({ maxRetainedPositions: 1_000, maxRetainedBytes: 40_000, maxPackBytes: 15_000 });
    await epoch.commit(10, epoch.a);
    await epoch.runtime.advance(60_000);
    expect((await epoch.packs()).length).toBeGreaterThan(2);
    expect(await epoch.readable(epoch.a)).toEqual(upTo(10));
    for (const pack of await epoch.packs()) {
      const { length } = (await epoch.dataStore.get(packName(epochA, pack)))?.body ?? { length: Infinity };
      expect(length).toBeLessThan(16_000);
    }
  });

  it('raises the mark without a pack when everything was folded', async () => {
    const epoch = await Epoch.create();
    await epoch.commit(8, epoch.a);
    epoch.unfolded.folded(databaseA, 8);
    await epoch.commit(1, epoch.a);
    await epoch.runtime.advance(60_000);
    expect(await epoch.record()).toMatchObject({ lowWaterPosition: 8, packs: [] });
    expect(await epoch.positions()).toEqual([0, 8]);
    expect(await epoch.packs()).toEqual([]);
  });

  it('merges packs, keeps few, and deletes those that nothing lies in any more', async () => {
    const epoch = await Epoch.create();
    for (let round = 0; round < 40; round++) {
      await epoch.commit(10, epoch.a, epoch.b);
      await epoch.runtime.advance(5_000);
    }
    expect((await epoch.packs()).length).toBeLessThan(10);
    expect((await epoch.record()).packs).toEqual(await epoch.packs());
    expect(epoch.unfolded.of(databaseA, 1).fragments.length).toBeLessThan(20);
    for (const database of [epoch.a, epoch.b]) expect(await epoch.readable(database)).toEqual(upTo(400));
    epoch.unfolded.folded(databaseA, 400);
    epoch.unfolded.folded(databaseB, 400);
    await epoch.commit(10, epoch.a);
    await epoch.runtime.advance(60_000);
    expect(await epoch.packs()).toEqual((await epoch.record()).packs);
    expect((await epoch.packs()).length).toBeLessThanOrEqual(1);
  });

  it('copies no more than is unfolded when it merges', async () => {
    const epoch = await Epoch.create({ fanOut: 2 });
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(5_000);
    epoch.unfolded.folded(databaseA, 5);
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(5_000);
    const [run, ...more] = epoch.unfolded.of(databaseA, 1).fragments;
    expect(run?.slice(3)).toEqual([6, 18]);
    expect(more).toEqual([]);
  });

  it('leaves what a restore began to read, log objects and packs, until it has ended', async () => {
    const epoch = await Epoch.create({ fanOut: 2 });
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(5_000);
    await epoch.commit(2, epoch.a);
    const reading = epoch.unfolded.hold(databaseA, 1);
    expect(reading.fragments.map(([place]) => place)).toEqual([-1, 9, 10]);
    for (let round = 0; round < 4; round++) {
      await epoch.commit(10, epoch.a, epoch.b);
      await epoch.runtime.advance(5_000);
    }
    expect((await epoch.record()).lowWaterPosition).toBe(9);
    expect((await epoch.record()).packs).not.toContain(1);
    expect(await epoch.a.read(epoch.logStore, epochA, reading.fragments, epoch.dataStore)).toEqual(upTo(11));
    reading.release();
    await epoch.commit(10, epoch.a);
    await epoch.runtime.advance(60_000);
    expect((await epoch.record()).lowWaterPosition).toBeGreaterThan(40);
    expect(await epoch.packs()).not.toContain(1);
  });

  it('deletes nothing before the record is stored, and nothing when the epoch was condemned', async () => {
    const waiting: { change: MarkChange; store: () => void }[] = [];
    const epoch = await Epoch.create({}, (record) => ({
      change: async (change) => {
        await new Promise<void>((store) => waiting.push({ change, store }));
        await record.change(change);
      },
    }));
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(60_000);
    expect(waiting.map(({ change }) => change)).toEqual([{ lowWaterPosition: 9, packs: [1] }]);
    expect(await epoch.positions()).toEqual(upTo(9).map((number) => number - 1));
    const { runtime, dataStore, logStore, logs } = epoch;
    const record = await recoverEpoch({ runtime, dataStore, logStore: logs }, epochA, epochB);
    waiting[0]?.store();
    await epoch.runtime.advance(1_000);
    expect(epoch.reports).toEqual([expect.stringContaining('condemned')]);
    const recovered = recoveredFragments(record, databaseA, 1);
    expect(await epoch.a.read(logStore, epochA, recovered, dataStore)).toEqual(upTo(9));
    // The record from before the mark has no use for the pack, and the log lies there still.
    expect(recovered.every(([place]) => place >= 0)).toBe(true);
    await epoch.upkeep.stop();
    await epoch.runtime.drain();
  });

  it('tries again by itself after a failure, and deletes no pack that the record may name', async () => {
    let failures = 2;
    const epoch = await Epoch.create({}, (record) => ({
      change: async (change) => {
        // Stored, though nobody knows.
        await record.change(change);
        if (failures-- > 0) throw new Error('the answer was lost');
      },
    }));
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(2_000);
    epoch.unfolded.folded(databaseA, 9);
    expect(epoch.reports).toHaveLength(1);
    expect(await epoch.packs()).toEqual([1]);
    await epoch.runtime.advance(60_000);
    expect(epoch.reports).toHaveLength(2);
    expect(await epoch.record()).toMatchObject({ lowWaterPosition: 9, packs: [] });
    expect(await epoch.positions()).toEqual([0]);
    expect(await epoch.packs()).toEqual([]);
    expect(epoch.runtime.timers).toBe(0);
  });

  it('gives up a pack whose source is damaged, and keeps the log', async () => {
    const epoch = await Epoch.create();
    await epoch.commit(5, epoch.a);
    const key = logObjectName(epochA, 3);
    const body = (await epoch.logStore.get(key))?.body as Buffer;
    await epoch.logStore.delete(key);
    const damaged = Buffer.from(body);
    damaged.writeUInt8(damaged.readUInt8(body.length - 1) ^ 1, body.length - 1);
    await epoch.logStore.put(key, damaged, { ifAbsent: true });
    await epoch.commit(4, epoch.a);
    await epoch.runtime.advance(2_000);
    expect(epoch.reports).toEqual([expect.stringContaining('do not follow each other')]);
    expect(await epoch.record()).toMatchObject({ lowWaterPosition: 0, packs: [] });
    await epoch.upkeep.stop();
  });

  it('waits for a store that fails now and then', async () => {
    let calls = 0;
    const epoch = await Epoch.create({}, undefined, (store) => {
      const fail = (): void => {
        if (++calls % 3 === 0) throw new StoreUnavailableError('simulated');
      };
      return Object.assign(Object.create(store) as ObjectStore, {
        delete: async (key: string) => (fail(), store.delete(key)),
      });
    });
    for (let round = 0; round < 3; round++) {
      await epoch.commit(10, epoch.a);
      await epoch.runtime.advance(10_000);
    }
    const { lowWaterPosition } = await epoch.record();
    expect(lowWaterPosition).toBeGreaterThan(20);
    expect((await epoch.positions()).filter((position) => position < lowWaterPosition)).toEqual([0]);
    expect(epoch.reports).toEqual([]);
  });

  it('does nothing any more once it is stopped', async () => {
    const epoch = await Epoch.create();
    await epoch.commit(8, epoch.a);
    await epoch.upkeep.stop();
    await epoch.commit(20, epoch.a);
    await epoch.runtime.advance(60_000);
    expect((await epoch.record()).version).toBe(1);
    expect(await epoch.packs()).toEqual([]);
    expect(epoch.runtime.timers).toBe(0);
  });

  it('moves nothing to a pack that was stored while it was being stopped', async () => {
    let stopping: Promise<void> | undefined;
    const epoch: Epoch = await Epoch.create({}, undefined, (store) =>
      Object.assign(Object.create(store) as ObjectStore, {
        put: async (...[key, body, condition]: Parameters<ObjectStore['put']>) => {
          if (key.startsWith('packs/')) stopping = epoch.upkeep.stop();
          return store.put(key, body, condition);
        },
      }),
    );
    await epoch.commit(9, epoch.a);
    await epoch.runtime.advance(60_000);
    await stopping;
    expect(await epoch.packs()).toEqual([1]);
    expect(epoch.unfolded.of(databaseA, 1).fragments.every(([place]) => place >= 0)).toBe(true);
    expect((await epoch.record()).version).toBe(1);
  });
});
