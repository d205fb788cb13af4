import { MemoryStore } from '../../../test/memory-store.js';
import { logObjectAt } from '../../../test/storage/epoch-log.js';
import { epochA, epochB } from '../../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../../test/virtual-runtime.js';
import { OutcomeUnknownError, StoreUnavailableError, type ObjectStore } from '../../object-store/object-store.js';
import { encodeSeal } from '../log-object.js';
import { logCopyName, logObjectName } from '../object-names.js';
import { LogZone } from './log-zone.js';
import { QuorumLogStore } from './quorum-log-store.js';

const absent = { ifAbsent: true } as const;
const maxWaitingBytes = 10_000;

let runtime: VirtualRuntime;
let buckets: MemoryStore[];
let dataStore: MemoryStore;
/** How long each zone takes to answer a write; Infinity: it never does; undefined: it cannot be reached. */
let delays: (number | undefined)[];
let zones: LogZone[];
let store: QuorumLogStore;
let events: string[];

beforeEach(() => {
  runtime = new VirtualRuntime();
  buckets = [0, 1, 2].map(() => new MemoryStore());
  dataStore = new MemoryStore();
  delays = [1, 1, 1];
  events = [];
  zones = buckets.map((bucket, zone) => new LogZone(`zone ${zone}`, slowed(bucket, zone), maxWaitingBytes));
  store = new QuorumLogStore({
    runtime,
    zones,
    dataStore,
    report: (zone, event) => events.push(`${zone}: ${event}`),
  });
});

function slowed(bucket: MemoryStore, zone: number): ObjectStore {
  const pass = async <T>(request: () => Promise<T>): Promise<T> => {
    const delay = delays[zone];
    if (delay === undefined) throw new StoreUnavailableError('away');
    if (delay === Infinity) return new Promise<T>(() => undefined);
    await runtime.sleep(delay);
    return request();
  };
  return {
    get: async (key) => pass(() => bucket.get(key)),
    getRange: async (key, start, length) => pass(() => bucket.getRange(key, start, length)),
    put: async (key, body, condition) => pass(() => bucket.put(key, body, condition)),
    delete: async (key) => pass(() => bucket.delete(key)),
    list: async (prefix, options) => pass(() => bucket.list(prefix, options)),
  };
}

const holds = (zone: number, position: number): boolean =>
  buckets[zone]?.objects.has(logObjectName(epochA, position)) ?? false;
const put = async (zone: number, position: number, bytes: Buffer): Promise<unknown> =>
  buckets[zone]?.put(logObjectName(epochA, position), bytes, absent);
const entry = logObjectAt(5);

async function begun(): Promise<void> {
  await runtime.run(store.begin(epochA));
}

describe('an entry in three zones', () => {
  it('is stored when the two fastest have it', async () => {
    delays = [1, 5_000, 2];
    const startedMs = runtime.monotonicMs();
    expect(await runtime.run(store.create(epochA, 5, entry))).toBe('won');
    expect(runtime.monotonicMs() - startedMs).toBe(2);
    await runtime.drain();
    expect([0, 1, 2].map((zone) => holds(zone, 5))).toEqual([true, true, true]);
  });

  it('is not stored when one has it, and is when it is tried again', async () => {
    delays = [1, undefined, undefined];
    await expect(runtime.run(store.create(epochA, 5, entry))).rejects.toBeInstanceOf(OutcomeUnknownError);
    delays = [undefined, undefined, undefined];
    await expect(runtime.run(store.create(epochA, 6, entry))).rejects.toBeInstanceOf(StoreUnavailableError);
    delays = [1, 1, undefined];
    expect(await runtime.run(store.create(epochA, 5, entry))).toBe('won');
  });

  it.each([
    ['two seals', [0, 1], [1, 1, 1]],
    ['one seal, and no other zone', [0], [1, undefined, undefined]],
    ['one seal, and one zone of two', [0], [1, 1, undefined]],
  ])('is lost against %s', async (_what, sealed, now) => {
    for (const zone of sealed) await put(zone, 5, encodeSeal(epochB));
    delays = now;
    expect(await runtime.run(store.create(epochA, 5, entry))).toBe('lost');
  });

  it('is stored beside one seal', async () => {
    await put(0, 5, encodeSeal(epochB));
    expect(await runtime.run(store.create(epochA, 5, entry))).toBe('won');
  });

  it('holds memory for a zone that does not answer up to a bound, and gets there when it is needed', async () => {
    delays = [1, Infinity, 1];
    const large = Buffer.concat([entry, Buffer.alloc(4_000)]);
    for (let position = 5; position < 25; position++) await runtime.run(store.create(epochA, position, large));
    expect(zones[1]?.waitingBytes).toBeLessThanOrEqual(maxWaitingBytes + large.length);
    expect(events.filter((event) => event === 'zone 1: given-up').length).toBeGreaterThan(10);
    // Another zone fails: now the entry is worth trying where there is no room.
    delays = [1, 1, undefined];
    expect(await runtime.run(store.create(epochA, 25, large))).toBe('won');
    expect(holds(1, 25)).toBe(true);
  });

  it('is given up in a zone that is away, and sent to it again when it is back', async () => {
    delays = [1, 1, undefined];
    for (let position = 5; position < 10; position++) await runtime.run(store.create(epochA, position, entry));
    await runtime.drain();
    expect(zones[2]?.isFailing).toBe(true);
    expect(zones[2]?.waitingBytes).toBe(0);
    expect(events).toContain('zone 2: given-up');
    delays = [1, 1, 1];
    await runtime.run(store.create(epochA, 10, entry));
    await runtime.drain();
    expect([5, 10].map((position) => holds(2, position))).toEqual([false, true]);
    expect(zones[2]?.isFailing).toBe(false);
    expect(runtime.timers).toBe(0);
  });
});

describe('a log in three zones', () => {
  it('begins with two zones, and in the third as soon as that is there', async () => {
    delays = [1, 1, undefined];
    await begun();
    await runtime.advance(5_000);
    expect(events).toContain('zone 2: not-begun');
    expect(holds(2, 0)).toBe(false);
    delays = [1, 1, 1];
    await runtime.drain();
    expect(holds(2, 0)).toBe(true);
    delays = [1, undefined, undefined];
    await expect(runtime.run(store.begin(epochB))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('keeps an entry that one zone has beside a seal, copies it, and reads the copy without the zone', async () => {
    await begun();
    await put(0, 5, entry);
    await put(1, 5, encodeSeal(epochB));
    delays = [1, 1, undefined];
    expect(await runtime.run(store.look(epochA, 5))).toMatchObject({ needsCopy: true });
    await runtime.run(store.preserve(epochA, 5));
    await runtime.run(store.preserve(epochA, 5));
    delays = [undefined, 1, 1];
    const read = await runtime.run(store.read(epochA, 5, 20, 50));
    expect(read).toEqual(entry.subarray(20, 70));
    await dataStore.delete(logCopyName(epochA, 5));
    await expect(runtime.run(store.read(epochA, 5, 20, 50))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(runtime.run(store.preserve(epochA, 5))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('ends where two zones are sealed, and goes on at an entry that was faster', async () => {
    await begun();
    expect(await runtime.run(store.look(epochA, 5))).toBeUndefined();
    expect(await runtime.run(store.seal(epochA, 5, epochB))).toBe('sealed');
    expect(await runtime.run(store.seal(epochA, 5, epochA))).toBe('sealed');
    expect(await runtime.run(store.look(epochA, 5))).toBeUndefined();
    for (const zone of [0, 1]) await put(zone, 6, entry);
    expect(await runtime.run(store.seal(epochA, 6, epochB))).toMatchObject({ index: [{ firstCommit: 6 }] });
    delays = [1, undefined, undefined];
    await expect(runtime.run(store.seal(epochA, 7, epochB))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it('does not end because of a zone that does not have its beginning', async () => {
    await begun();
    buckets[1]?.objects.clear();
    delays = [undefined, 1, 1];
    for (const ask of [store.look(epochA, 5), store.seal(epochA, 5, epochB)]) {
      await expect(runtime.run(ask)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    }
    buckets[2]?.objects.clear();
    const missing = { code: 'STORE_OBJECT_MISSING', message: expect.stringMatching(/zone 1 and zone 2/) };
    await expect(runtime.run(store.seal(epochA, 6, epochB))).rejects.toMatchObject(missing);
  });

  it('is deleted in all zones, in one that was away later', async () => {
    await begun();
    for (const position of [5, 6, 7]) for (const zone of [0, 1, 2]) await put(zone, position, entry);
    await dataStore.put(logCopyName(epochA, 5), entry, absent);
    expect(await runtime.run(store.positions(epochA))).toEqual([5, 6, 7]);
    delays = [1, 1, undefined];
    await runtime.run(store.remove(epochA, 5));
    await runtime.run(store.remove(epochA, 0));
    expect([0, 1, 2].map((zone) => holds(zone, 5))).toEqual([false, false, true]);
    await expect(runtime.run(store.positions(epochA))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    delays = [1, 1, 1];
    await runtime.run(store.remove(epochA, 6));
    expect(await runtime.run(store.positions(epochA))).toEqual([7]);
    expect(holds(0, 0)).toBe(true);
    expect(dataStore.objects.size).toBe(0);
  });
});
