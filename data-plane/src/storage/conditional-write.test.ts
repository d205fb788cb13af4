import { FaultyObjectStore, someFaults } from '../../test/faulty-object-store.js';
import { testSeeds } from '../../test/seeded-random.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ETag,
  type ObjectStore,
} from '../object-store/object-store.js';
import { backoffMs, conditionalWrite, readWithRetry, requestRetries } from './conditional-write.js';

const ifAbsent = { ifAbsent: true } as const;
const mine = Buffer.from('mine');
const unavailable = expect.objectContaining({
  code: 'STORE_UNAVAILABLE',
  message: expect.stringContaining('some/key'),
});

afterEach(removeTemporaryDirectories);

describe('conditional write', () => {
  it('wins once, and tells the loser what stands there', async () => {
    const store = await temporaryStore();
    const runtime = new VirtualRuntime();
    const won = await conditionalWrite(runtime, store, 'some/key', mine, ifAbsent);
    expect(won.won).toBe(true);
    const lost = await conditionalWrite(runtime, store, 'some/key', Buffer.from('other'), ifAbsent);
    expect(lost).toMatchObject({ won: false, current: { body: mine } });
    const stale = await conditionalWrite(runtime, store, 'some/key', Buffer.from('x'), { ifMatch: 'no' as ETag });
    expect(stale.won).toBe(false);
    const gone = await conditionalWrite(runtime, store, 'some/other', mine, { ifMatch: 'no' as ETag });
    expect(gone).toEqual({ won: false, current: undefined });
  });

  it.each(testSeeds(40))(
    'knows the outcome under faults: exactly one of three writers wins (seed %i)',
    async (seed) => {
      const store = await temporaryStore();
      const runtime = new VirtualRuntime(seed);
      const faulty = new FaultyObjectStore(runtime, store, someFaults, seed);
      const patient = { ...requestRetries, attempts: 60 };
      const bodies = ['one', 'two', 'three'].map((text) => Buffer.from(text));
      const created = await runtime.run(
        Promise.all(bodies.map((body) => conditionalWrite(runtime, faulty, 'some/key', body, ifAbsent, patient))),
      );
      await runtime.drain();
      const first = await store.get('some/key');
      expect(created.map(({ won }, index) => won === first?.body.equals(bodies[index] as Buffer))).not.toContain(false);

      const next = bodies.map((body) => Buffer.concat([body, body]));
      const condition = { ifMatch: first?.etag as ETag };
      const replaced = await runtime.run(
        Promise.all(next.map((body) => conditionalWrite(runtime, faulty, 'some/key', body, condition, patient))),
      );
      await runtime.drain();
      const second = await store.get('some/key');
      expect(replaced.map(({ won }, index) => won === second?.body.equals(next[index] as Buffer))).not.toContain(false);
      const winner = replaced.find(({ won }) => won);
      expect(winner?.won && winner.etag).toBe(second?.etag);
    },
  );

  it('recognizes its own write that took effect late, just before it was tried again', async () => {
    const runtime = new VirtualRuntime();
    const store = await temporaryStore();
    let attempts = 0;
    const late: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      get: async (key: string) => store.get(key),
      put: async (...[key, body, condition]: Parameters<ObjectStore['put']>) => {
        attempts += 1;
        if (attempts === 1) throw new OutcomeUnknownError('no answer');
        await store.put(key, body, condition);
        return store.put(key, body, condition);
      },
    });
    const written = await runtime.run(conditionalWrite(runtime, late, 'some/key', mine, ifAbsent));
    expect(written).toEqual({ won: true, etag: (await store.get('some/key'))?.etag });
  });

  it('gives up after the last attempt, by name', async () => {
    const runtime = new VirtualRuntime();
    const store = await temporaryStore();
    let attempts = 0;
    const down: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      get: async () => Promise.reject(new StoreUnavailableError('down')),
      put: async () => {
        attempts += 1;
        throw attempts % 2 === 0 ? new OutcomeUnknownError('no answer') : new StoreUnavailableError('down');
      },
    });
    const writing = expect(conditionalWrite(runtime, down, 'some/key', mine, ifAbsent)).rejects.toEqual(unavailable);
    await runtime.run(writing);
    const reading = expect(readWithRetry(runtime, 'some/key', async () => down.get('some/key'))).rejects.toEqual(
      unavailable,
    );
    await runtime.run(reading);
  });

  it('does not retry what no retry mends', async () => {
    const runtime = new VirtualRuntime();
    const store = await temporaryStore();
    await expect(conditionalWrite(runtime, store, '../key', mine, ifAbsent)).rejects.toThrow(RangeError);
    await expect(readWithRetry(runtime, '../key', async () => store.get('../key'))).rejects.toThrow(RangeError);
  });

  it('waits longer each time, up to a limit', () => {
    const runtime = new VirtualRuntime();
    for (let attempt = 1; attempt < 12; attempt++) {
      const full = Math.min(requestRetries.maxDelayMs, requestRetries.firstDelayMs * 2 ** (attempt - 1));
      const delayMs = backoffMs(runtime, requestRetries, attempt);
      expect(delayMs).toBeGreaterThanOrEqual(full / 2);
      expect(delayMs).toBeLessThan(full * 1.5);
    }
  });
});
