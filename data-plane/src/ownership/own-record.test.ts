import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { epochA } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ObjectStore,
  type WriteCondition,
  type WriteResult,
} from '../object-store/object-store.js';
import { readClocks } from './clock-reading.js';
import { createNodeRecord, readNodeRecord, replaceNodeRecord } from './node-record.js';
import { LeaseLostError, OwnRecord } from './own-record.js';

const timing = { beatMs: 500, leaseMs: 2_000, marginMs: 500 };

let runtime: VirtualRuntime;
let store: LocalObjectStore;
/** What happens to a write instead of taking effect and being answered. */
let fate: (put: () => Promise<WriteResult>) => Promise<WriteResult>;
let lost: unknown[];
let record: OwnRecord;

async function begin(): Promise<void> {
  const faulty: ObjectStore = Object.assign(Object.create(store) as LocalObjectStore, {
    get: async (key: string) => runtime.hold(store.get(key)),
    put: async (key: string, body: Uint8Array, condition: WriteCondition) =>
      fate(async () => runtime.hold(store.put(key, body, condition))),
  });
  const createdAt = readClocks(runtime);
  const created = await createNodeRecord(runtime, store, epochA);
  record = new OwnRecord({
    runtime,
    store: faulty,
    timing,
    created,
    createdAt,
    onLost: (cause) => lost.push(cause),
  });
  record.start();
}

beforeEach(async () => {
  runtime = new VirtualRuntime();
  store = await temporaryStore();
  fate = async (put) => put();
  lost = [];
});
afterEach(async () => {
  fate = async (put) => put();
  await Promise.all([record.stop(), runtime.advance(5_000)]);
  await removeTemporaryDirectories();
});

async function storedVersion(): Promise<number> {
  return (await readNodeRecord(runtime, store, epochA)).record.version;
}

describe('the own record', () => {
  it('is renewed at every beat, and the lease holds', async () => {
    await begin();
    for (let beat = 0; beat < 20; beat++) {
      await runtime.advance(500);
      expect(record.holds()).toBe(true);
    }
    expect(await storedVersion()).toBeGreaterThanOrEqual(20);
    expect(record.current.version).toBe(await storedVersion());
    expect(lost).toEqual([]);
  });

  it('lets the lease go before others may condemn it, and takes it up when the store is back', async () => {
    await begin();
    await runtime.advance(1_000);
    fate = async () => {
      throw new StoreUnavailableError('away');
    };
    await runtime.advance(900);
    expect(record.holds()).toBe(true);
    await runtime.advance(700);
    expect(record.holds()).toBe(false);
    let isHeld = false;
    void record.held(60_000).then((holds) => (isHeld = holds));
    await runtime.advance(20_000);
    expect(isHeld).toBe(false);
    fate = async (put) => put();
    // The next attempt comes within a beat.
    await runtime.advance(1_000);
    expect(isHeld).toBe(true);
    expect(record.holds()).toBe(true);
    expect(lost).toEqual([]);
  });

  it('keeps nothing of those who gave up waiting for the lease', async () => {
    await begin();
    fate = async () => {
      throw new StoreUnavailableError('away');
    };
    await runtime.advance(2_000);
    const waits = Array.from({ length: 20 }, async () => record.held(1_000));
    const longer = record.held(60_000);
    expect(record.waiting).toBe(21);
    await runtime.advance(1_000);
    expect(await Promise.all(waits)).toEqual(waits.map(() => false));
    expect(record.waiting).toBe(1);
    fate = async (put) => put();
    await runtime.advance(1_000);
    expect(await longer).toBe(true);
    expect(record.waiting).toBe(0);
  });

  it('times a renewal whose answers were lost from its first sending', async () => {
    await begin();
    await runtime.advance(600);
    const before = record.current.version;
    let attempts = 0;
    fate = async (put) => {
      attempts += 1;
      await put();
      throw new OutcomeUnknownError('no answer');
    };
    // The first attempt counts; others may see its version from then on.
    await runtime.advance(1_400);
    expect(attempts).toBeGreaterThan(1);
    expect(record.current.version).toBe(before);
    fate = async (put) => put();
    await runtime.advance(1_000);
    expect(record.holds()).toBe(true);
    expect(lost).toEqual([]);
  });

  it('does not take a slow answer for a fresh lease', async () => {
    await begin();
    await runtime.advance(600);
    fate = async (put) => {
      const result = await put();
      await runtime.sleep(450);
      return result;
    };
    await runtime.advance(10_000);
    // Every answer takes almost a beat; the lease is as old as the sending.
    expect(record.holds()).toBe(true);
    fate = () => new Promise(() => undefined);
    await runtime.advance(1_500);
    expect(record.holds()).toBe(false);
  });

  it('is lost for ever when it was condemned', async () => {
    await begin();
    await runtime.advance(500);
    const found = await readNodeRecord(runtime, store, epochA);
    await replaceNodeRecord(runtime, store, found, { state: 'condemned' });
    const change = record.change({ lowWaterPosition: 5 });
    change.catch(() => undefined);
    await runtime.advance(1_000);
    expect(record.holds()).toBe(false);
    expect(lost).toEqual([undefined]);
    await expect(change).rejects.toThrow(LeaseLostError);
    await expect(record.held(1_000)).rejects.toThrow(LeaseLostError);
    await expect(record.change({ lowWaterPosition: 6 })).rejects.toThrow(LeaseLostError);
    expect((await readNodeRecord(runtime, store, epochA)).record.lowWaterPosition).toBe(0);
  });

  it('does not believe in itself after standing still', async () => {
    await begin();
    await runtime.advance(600);
    expect(record.holds()).toBe(true);
    runtime.stepWallClock(1_600);
    expect(record.holds()).toBe(false);
  });

  it('is not fooled by a wall clock that is set back', async () => {
    await begin();
    await runtime.advance(600);
    fate = () => new Promise(() => undefined);
    runtime.stepWallClock(-3_600_000);
    await runtime.advance(1_500);
    expect(record.holds()).toBe(false);
  });

  it('carries changes along with the next beat, and urgent ones at once', async () => {
    await begin();
    await runtime.advance(510);
    const beat = record.change({ lowWaterPosition: 5 });
    await runtime.advance(10);
    expect(record.current.lowWaterPosition).toBe(0);
    const urgent = record.change({ state: 'draining' }, { urgent: true });
    await runtime.advance(10);
    expect(await beat).toMatchObject({ lowWaterPosition: 5, state: 'draining' });
    expect(await urgent).toMatchObject({ lowWaterPosition: 5, state: 'draining' });
    expect((await readNodeRecord(runtime, store, epochA)).record).toMatchObject({
      lowWaterPosition: 5,
      state: 'draining',
    });
  });

  it('stops beating when it is stopped', async () => {
    await begin();
    await runtime.advance(600);
    await Promise.all([record.stop(), runtime.advance(10)]);
    const version = await storedVersion();
    await runtime.advance(5_000);
    expect(await storedVersion()).toBe(version);
    expect(record.holds()).toBe(false);
    expect(runtime.timers).toBe(0);
  });

  it('ends when the store refuses for good', async () => {
    await begin();
    const refusal = new Error('access denied');
    fate = async () => {
      throw refusal;
    };
    await runtime.advance(1_000);
    expect(lost).toEqual([refusal]);
    expect(record.holds()).toBe(false);
  });
});
