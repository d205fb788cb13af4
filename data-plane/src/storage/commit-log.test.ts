import { CountingObjectStore } from '../metering/counting-object-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { HeldWrites } from '../../test/storage/held-writes.js';
import { LoggedSample, upTo } from '../../test/storage/logged-sample.js';
import { databaseA, databaseB, epochA, epochB, pageOf } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { CommitLog, type CommitLogOptions } from './commit-log.js';
import { commitBytes } from './fragment.js';
import { decodeIndex, encodeSeal, isSeal, type IndexedFragment } from './log-object.js';
import { SingleLogStore } from './log-store/single-log-store.js';
import { logObjectName } from './object-names.js';

const absent = { ifAbsent: true } as const;

let store: LocalObjectStore;
let runtime: VirtualRuntime;
let fenced: unknown[];
let a: LoggedSample;
let b: LoggedSample;

beforeEach(async () => {
  store = await temporaryStore();
  runtime = new VirtualRuntime();
  fenced = [];
  a = new LoggedSample(databaseA, 3);
  b = new LoggedSample(databaseB, 8);
});
afterEach(removeTemporaryDirectories);

function logOn(objects: ObjectStore, options: Partial<CommitLogOptions> = {}): CommitLog {
  return new CommitLog({
    runtime,
    store: new SingleLogStore(runtime, objects),
    epoch: epochA,
    windowMs: 10,
    maxObjectBytes: 1 << 20,
    maxInFlight: 4,
    onFenced: (cause) => fenced.push(cause),
    ...options,
  });
}

/** A log on the real store, whose work stops the clock. */
function realLog(options: Partial<CommitLogOptions> = {}): { log: CommitLog; requests: string[] } {
  const requests: string[] = [];
  const held: ObjectStore = {
    get: (key) => runtime.hold(store.get(key)),
    getRange: (key, start, length) => runtime.hold(store.getRange(key, start, length)),
    put: (key, body, condition) => runtime.hold(store.put(key, body, condition)),
    delete: (key) => runtime.hold(store.delete(key)),
    list: (prefix, page) => runtime.hold(store.list(prefix, page)),
  };
  const counting = new CountingObjectStore(held, runtime, ({ operation }) => requests.push(operation));
  return { log: logOn(counting, options), requests };
}

async function indexAt(position: number): Promise<IndexedFragment[]> {
  const key = logObjectName(epochA, position);
  const object = await store.get(key);
  return object && !isSeal(object.body) ? (decodeIndex(key, object.body) as IndexedFragment[]) : [];
}

/** Appends commits of `a` until `count` objects wait at the store. */
async function fillFlight(log: CommitLog, held: HeldWrites, count: number): Promise<void> {
  while (held.keys.length < count) {
    a.commitTo(log);
    await runtime.advance(20);
  }
}

describe('commit log', () => {
  it('stores the commits of several databases as one object', async () => {
    const { log, requests } = realLog();
    a.commitTo(log);
    b.commitTo(log);
    a.commitTo(log);
    expect(log.pendingBytes).toBe(
      [...a.sample.commits, ...b.sample.commits].reduce((sum, c) => sum + commitBytes(c), 0),
    );
    await runtime.drain();
    expect(requests).toEqual(['put']);
    expect((await indexAt(0)).map(({ database, term, lastCommit }) => [database, term, lastCommit])).toEqual([
      [databaseA, 3, 2],
      [databaseB, 8, 1],
    ]);
    expect(await a.read(store, epochA)).toEqual([1, 2]);
    expect(await b.read(store, epochA)).toEqual([1]);
    expect(log.pendingBytes).toBe(0);
  });

  it('writes the first commit at once and then at most one object a window', async () => {
    const { log, requests } = realLog();
    a.commitTo(log);
    await runtime.advance(0);
    expect(a.durableCommit).toBe(1);
    for (let ms = 0; ms < 200; ms++) {
      a.commitTo(log);
      await runtime.advance(1);
    }
    await runtime.drain();
    expect(a.durableCommit).toBe(201);
    expect(requests.length).toBeLessThanOrEqual(22);
    expect(requests.length).toBeGreaterThan(15);
    expect(await a.read(store, epochA)).toEqual(upTo(201));
  });

  it('writes early what is large', async () => {
    const { log } = realLog({ windowMs: 1_000, maxObjectBytes: 3 * 4_124 });
    a.commitTo(log);
    await runtime.advance(0);
    a.commitTo(log);
    a.commitTo(log);
    await runtime.advance(1);
    expect(a.durableCommit).toBe(1);
    a.commitTo(log);
    await runtime.advance(1);
    expect(a.durableCommit).toBe(4);
    await runtime.drain();
  });

  it('fills one object after the other when more waits than one holds', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held, { maxObjectBytes: 2 * 4_124, maxInFlight: 2 });
    await fillFlight(log, held, 2);
    for (let commit = 0; commit < 5; commit++) a.commitTo(log);
    b.commitTo(log);
    expect(log.pendingBytes).toBeGreaterThan(0);
    await held.release(0);
    await held.release(0);
    for (let objects = 0; objects < 4; objects++) {
      await runtime.advance(20);
      if (held.keys.length > 0) await held.release(0);
    }
    expect(log.pendingBytes).toBe(0);
    expect(a.durable.map(([position, , , first, last]) => [position, first, last])).toEqual([
      [0, 1, 1],
      [1, 2, 2],
      [2, 3, 3],
      [3, 4, 5],
      [4, 6, 7],
    ]);
    expect(b.durable.map(([position]) => position)).toEqual([2]);
    expect(await a.read(store, epochA)).toEqual(upTo(7));
  });

  it('does not let a database wait for the backlog of another one', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held, { maxObjectBytes: 2 * 4_124, maxInFlight: 1 });
    await fillFlight(log, held, 1);
    for (let commit = 0; commit < 20; commit++) a.commitTo(log);
    // The object under way is the one that was filled before the other database came.
    await held.release();
    await runtime.advance(20);
    b.commitTo(log);
    for (let objects = 0; objects < 12; objects++) {
      await held.release();
      await runtime.advance(20);
    }
    expect(b.durable.map(([position]) => position)).toEqual([2]);
    expect(await a.read(store, epochA)).toEqual(upTo(21));
    expect(log.pendingBytes).toBe(0);
  });

  it('lets everything else go on while it seals a large commit', async () => {
    const { log, requests } = realLog();
    let turns = 0;
    const turn = runtime.turn.bind(runtime);
    runtime.turn = async (kind) => {
      turns += 1;
      return turn(kind);
    };
    const large = a.sample.write(3_000, new Map(upTo(2_000).map((page) => [page, pageOf(`large ${page}`)])));
    log.append(a, large);
    runtime.schedule(0, () => {
      // While the first object is being sealed.
      b.commitTo(log);
      a.commitTo(log);
    });
    await runtime.drain();
    expect(turns).toBeGreaterThan((2 * commitBytes(large)) / 2 ** 18);
    expect(requests).toEqual(['put', 'put']);
    expect([a.durable, b.durable].map((fragments) => fragments.map(([position]) => position))).toEqual([[0, 1], [1]]);
    expect(await a.read(store, epochA)).toEqual([1, 2]);
    expect(await b.read(store, epochA)).toEqual([1]);
  });

  it('completes an object with the commits of a database whose keys are wiped meanwhile', async () => {
    const { log } = realLog({ maxObjectBytes: 1 << 26 });
    log.append(a, a.sample.write(3_000, new Map(upTo(2_000).map((page) => [page, pageOf(`large ${page}`)]))));
    b.commitTo(log);
    runtime.turn = async () => {
      for (const { sealer } of [a, b]) sealer.wipe();
    };
    await runtime.drain();
    const again = [new LoggedSample(databaseA, 3), new LoggedSample(databaseB, 8)] as const;
    for (const [index, { sample, durable }] of [a, b].entries()) {
      Object.assign(again[index] as LoggedSample, { sample });
      expect(await again[index]?.read(store, epochA, durable)).toEqual([1]);
    }
  });

  it('does nothing at all when it is idle', async () => {
    const { log, requests } = realLog();
    await runtime.advance(10_000);
    a.commitTo(log);
    await runtime.advance(1_000);
    const before = requests.length;
    expect(runtime.timers).toBe(0);
    await runtime.advance(100_000);
    expect(requests).toHaveLength(before);
    expect(before).toBe(1);
  });

  it('acknowledges in order although objects finish out of order', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held);
    await fillFlight(log, held, 4);
    await held.release(3);
    await held.release(1);
    await held.release(1);
    expect(a.durable).toEqual([]);
    await held.release(0);
    expect(a.durable.map(([position]) => position)).toEqual([0, 1, 2, 3]);
    expect(await a.read(store, epochA)).toEqual(upTo(4));
  });

  it('has at most so many objects in flight, and collects the rest', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held, { maxInFlight: 2 });
    await fillFlight(log, held, 2);
    for (let commit = 0; commit < 10; commit++) a.commitTo(log);
    await runtime.advance(1_000);
    expect(held.keys).toHaveLength(2);
    await held.release(0);
    await runtime.advance(1_000);
    expect(held.keys).toHaveLength(2);
    await held.release(0);
    await held.release(0);
    expect(a.durable.map(([, , , first, last]) => [first, last])).toEqual([
      [1, 1],
      [2, 2],
      [3, 12],
    ]);
    expect(runtime.timers).toBe(0);
  });

  it.each([0, 1, 2, 3, 4])('acknowledges nothing from a seal at position %i on', async (sealedAt) => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held);
    await store.put(logObjectName(epochA, sealedAt), encodeSeal(epochB), absent);
    await fillFlight(log, held, 4);
    for (let left = held.keys.length; left > 0; left--) await held.release(left - 1);
    expect(fenced).toHaveLength(sealedAt < 4 ? 1 : 0);
    expect(a.durable.every(([position]) => position < sealedAt)).toBe(true);
    a.commitTo(log);
    await runtime.advance(100);
    while (held.keys.length > 0) await held.release();
    expect(log.isFenced).toBe(true);
    expect(fenced).toEqual([undefined]);
    expect(a.durable.every(([position]) => position < sealedAt)).toBe(true);
    expect(await a.read(store, epochA)).toEqual(upTo(a.durableCommit));
    expect(runtime.timers).toBe(0);
  });

  it('is fenced by whatever stood at its position and is gone', async () => {
    const held = new HeldWrites(runtime, store);
    const lost: ObjectStore = Object.assign(held, { put: async () => ({ won: false }) as const });
    const log = logOn(lost);
    a.commitTo(log);
    await runtime.drain();
    expect(log.isFenced).toBe(true);
    expect(a.durable).toEqual([]);
  });

  it('ends, and says why, on an error that no retry mends', async () => {
    const broken = new RangeError('broken');
    const log = logOn(Object.assign(new HeldWrites(runtime, store), { put: async () => Promise.reject(broken) }));
    a.commitTo(log);
    await runtime.drain();
    expect(fenced).toEqual([broken]);
    await expect(log.seal()).rejects.toMatchObject({ cause: broken });
  });

  it('takes no position for an object that cannot be made', async () => {
    const { log } = realLog();
    a.sealer.wipe();
    a.commitTo(log);
    await expect(runtime.drain()).rejects.toThrow('wiped');
    expect(log.nextPosition).toBe(0);
    b.commitTo(log);
    await runtime.drain();
    expect(b.durable.map(([position]) => position)).toEqual([0]);
  });
});

describe("sealing one's own log", () => {
  it('makes everything durable first, and takes nothing after', async () => {
    const { log, requests } = realLog({ maxInFlight: 1 });
    a.commitTo(log);
    await runtime.advance(0);
    a.commitTo(log);
    b.commitTo(log);
    const sealing = log.seal();
    a.commitTo(log);
    const again = log.seal();
    expect(await runtime.run(sealing)).toBe(2);
    expect(await again).toBe(2);
    expect([a.durableCommit, b.durableCommit]).toEqual([2, 1]);
    expect(isSeal((await store.get(logObjectName(epochA, 2)))?.body as Buffer)).toBe(true);
    a.commitTo(log);
    await runtime.advance(1_000);
    expect(requests).toEqual(['put', 'put', 'put']);
    expect(runtime.timers).toBe(0);
    expect(log.isFenced).toBe(false);
  });

  it('writes more than one object when one is already in flight', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held, { maxInFlight: 1 });
    await fillFlight(log, held, 1);
    a.commitTo(log);
    const sealing = log.seal();
    for (let write = 0; write < 3; write++) {
      expect(held.keys).toEqual([logObjectName(epochA, write)]);
      await held.release();
    }
    expect(await sealing).toBe(2);
    expect(a.durableCommit).toBe(2);
  });

  it('fails when someone else sealed before everything was durable', async () => {
    const { log } = realLog();
    await store.put(logObjectName(epochA, 0), encodeSeal(epochB), absent);
    a.commitTo(log);
    await expect(runtime.run(log.seal())).rejects.toThrow('another node');
    expect(a.durable).toEqual([]);
    expect(fenced).toHaveLength(1);
  });

  it('accepts the seal of someone else right behind the last object', async () => {
    const { log } = realLog();
    a.commitTo(log);
    await runtime.drain();
    await store.put(logObjectName(epochA, 1), encodeSeal(epochB), absent);
    expect(await runtime.run(log.seal())).toBe(1);
    expect(log.isFenced).toBe(true);
  });
});

describe('dropping a database', () => {
  it('forgets what waits and resolves at once when nothing is in flight', async () => {
    const { log, requests } = realLog();
    a.commitTo(log);
    b.commitTo(log);
    await log.dropAndResolve(a);
    await runtime.drain();
    expect(requests).toEqual(['put']);
    expect([a.durableCommit, b.durableCommit]).toEqual([0, 1]);
    expect(log.pendingBytes).toBe(0);
  });

  it('resolves only when what is in flight is stored and reported', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held);
    await fillFlight(log, held, 2);
    let isResolved = false;
    const dropping = log.dropAndResolve(a).then(() => (isResolved = true));
    await held.release(1);
    expect(isResolved).toBe(false);
    await held.release(0);
    await dropping;
    expect(a.durableCommit).toBe(2);
    await log.dropAndResolve(a);
  });

  it('resolves when the log is fenced', async () => {
    const held = new HeldWrites(runtime, store);
    const log = logOn(held);
    await store.put(logObjectName(epochA, 0), encodeSeal(epochB), absent);
    await fillFlight(log, held, 2);
    const dropping = log.dropAndResolve(a);
    await held.release(0);
    await dropping;
    expect(a.durable).toEqual([]);
  });
});
