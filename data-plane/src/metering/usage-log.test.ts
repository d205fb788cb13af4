import { FaultyObjectStore, someFaults } from '../../test/faulty-object-store.js';
import { MemoryStore } from '../../test/memory-store.js';
import { testSeeds } from '../../test/seeded-random.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { usageBatchName } from '../storage/object-names.js';
import { maxPageBatches, StoredUsage } from './stored-usage.js';
import { maxBatchDatabases, type UsageBatch, type UsageCounts } from './usage-batch.js';
import { UsageBundler } from './usage-bundler.js';
import { storeUsageAfterMs, UsageLog } from './usage-log.js';

const epoch = 'e'.repeat(32) as NodeEpoch;
const id = (number: number): DatabaseId => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}` as DatabaseId;

function node<Store extends ObjectStore = MemoryStore>(
  store: Store = new MemoryStore() as ObjectStore as Store,
  runtime = new VirtualRuntime(),
) {
  const reports: string[] = [];
  const counted: Partial<UsageCounts>[] = [];
  const report = (event: string): number => reports.push(event);
  const bundler = new UsageBundler({ runtime, store, epoch });
  const log = new UsageLog({ runtime, store, epoch, report, bundler, onCounted: (counts) => counted.push(counts) });
  return {
    runtime,
    store,
    log,
    reports,
    counted,
    bundler,
    usage: new StoredUsage({ runtime, store, own: log, report }),
  };
}

/** Adds batches up as the control plane does. */
class Sum {
  readonly total = [0, 0, 0, 0];
  #last = 0;

  add({ sequence, databases }: UsageBatch): void {
    if (sequence <= this.#last) return;
    this.#last = sequence;
    for (const [, ...counts] of databases) counts.forEach((count, place) => (this.total[place]! += count));
  }
}

describe('usage of a node', () => {
  it('is stored a minute after the first count, all databases together, and costs nothing while none is used', async () => {
    const { runtime, store, log, usage } = node();
    expect(runtime.timers).toBe(0);
    log.count(id(1), { rowsRead: 2, queries: 1 });
    log.count(id(2), { bytesSynced: 4_096 });
    log.count(id(1), { rowsRead: 3, rowsWritten: 1, queries: 2 });
    await runtime.advance(storeUsageAfterMs - 1);
    expect(store.objects.size).toBe(0);
    await runtime.advance(1);
    expect([...store.objects.keys()]).toEqual([usageBatchName(epoch, 1)]);
    expect(runtime.timers).toBe(0);
    const { batches, more } = await usage.page();
    expect({ batches, more }).toEqual({
      more: false,
      batches: [
        {
          epoch,
          sequence: 1,
          hourMs: Math.floor(runtime.nowMs() / 3_600_000) * 3_600_000,
          databases: [
            [id(1), 5, 1, 0, 3],
            [id(2), 0, 0, 4_096, 0],
          ],
        },
      ],
    });
    await usage.remove(batches);
    expect(await usage.page()).toEqual({ batches: [], more: false });
    expect(store.objects.size).toBe(0);
  });

  it('has the last size of each database, also of one that was not used otherwise', async () => {
    const { runtime, log, usage, store } = node();
    log.sized(id(3), { commit: 0, pages: 9 });
    log.count(id(1), { queries: 1 });
    log.sized(id(1), { commit: 1, pages: 2 });
    log.sized(id(1), { commit: 2, pages: 4 });
    await runtime.advance(storeUsageAfterMs);
    expect(store.objects.size).toBe(2);
    const { batches } = await usage.page();
    expect(batches.map(({ sequence, databases, sizes }) => [sequence, databases.length, sizes])).toEqual([
      [1, 1, [[id(1), 2, 4]]],
      [2, 0, [[id(3), 0, 9]]],
    ]);
    await usage.remove(batches);
    await log.store();
    expect([store.objects.size, runtime.timers]).toEqual([0, 0]);
  });

  it('goes to the hour in which it was counted', async () => {
    const { runtime, log, usage } = node();
    const toNextHourMs = 3_600_000 - (runtime.nowMs() % 3_600_000);
    await runtime.advance(toNextHourMs - 1);
    log.count(id(1), { queries: 1 });
    await runtime.advance(1);
    log.count(id(1), { queries: 2 });
    const { batches } = await usage.page();
    expect(batches.map(({ databases: [entry] }) => entry?.[4])).toEqual([1, 2]);
    expect(batches[1]!.hourMs - batches[0]!.hourMs).toBe(3_600_000);
  });

  it('takes no numbers that are no counts, whoever sends them', async () => {
    const { runtime, log, usage, counted } = node();
    for (const number of [NaN, Infinity, -1, 0, 0.5, 2 ** 60]) log.count(id(1), { rowsRead: number, queries: number });
    expect([runtime.timers, counted]).toEqual([0, []]);
    log.count(id(1), { rowsRead: -5, queries: 1 });
    log.count(id(1), { rowsRead: Number.MAX_SAFE_INTEGER });
    log.count(id(1), { rowsRead: Number.MAX_SAFE_INTEGER });
    expect((await usage.page()).batches[0]?.databases).toEqual([[id(1), Number.MAX_SAFE_INTEGER, 0, 0, 1]]);
    expect(counted[0]).toEqual({ queries: 1 });
  });

  it('is cut into batches that can be handed on page by page', async () => {
    const { log, usage } = node();
    const databases = 5 * maxBatchDatabases + 1;
    for (let number = 0; number < databases; number++) log.count(id(number), { queries: 1 });
    const sum = new Sum();
    let pages = 0;
    for (let more = true; more; pages++) {
      const page = await usage.page();
      page.batches.forEach((batch) => sum.add(batch));
      await usage.remove(page.batches);
      ({ more } = page);
    }
    expect(sum.total[3]).toBe(databases);
    expect(pages).toBeGreaterThan(1);
  });

  it.each(testSeeds(30))(
    'is counted exactly once under faults of the store, and of whoever adds it up (seed %i)',
    async (seed) => {
      const runtime = new VirtualRuntime(seed);
      const stored = new MemoryStore();
      const faulty = new FaultyObjectStore(runtime, stored, { ...someFaults, unavailable: 25 }, seed);
      const { log, usage } = node(faulty, runtime);
      const sum = new Sum();
      let counted = 0;
      for (let round = 0; round < 12; round++) {
        for (let number = 0; number < 20; number++) {
          log.count(id(number), { rowsRead: round, queries: 1 });
          counted += round;
        }
        await runtime.advance(runtime.randomFraction() * 2 * storeUsageAfterMs);
        // Whoever adds up may die, or fail, before it has removed what it added.
        const collecting = usage.page().then(async ({ batches }) => {
          batches.forEach((batch) => sum.add(batch));
          if (runtime.randomFraction() < 0.6) await usage.remove(batches);
        });
        await runtime.run(collecting.catch(() => undefined));
      }
      faulty.heal();
      await runtime.drain();
      (await runtime.run(usage.page())).batches.forEach((batch) => sum.add(batch));
      expect(sum.total).toEqual([counted, 0, 0, 240]);
    },
  );

  it('keeps what it cannot store, tells of it, and tries again', async () => {
    const runtime = new VirtualRuntime();
    const stored = new MemoryStore();
    let isAway = true;
    const store: ObjectStore = Object.assign(Object.create(stored) as ObjectStore, {
      put: async (...given: Parameters<ObjectStore['put']>) => {
        if (isAway) throw new (await import('../object-store/object-store.js')).StoreUnavailableError('away');
        return stored.put(...given);
      },
    });
    const { log, reports } = node(store, runtime);
    log.count(id(1), { queries: 1 });
    await runtime.advance(storeUsageAfterMs + 10_000);
    expect(reports).toEqual(['usage was not stored']);
    log.count(id(1), { queries: 1 });
    isAway = false;
    await runtime.drain();
    expect(stored.objects.size).toBe(2);
  });

  /** A batch of one statement for each of the numbers. */
  const storeBatches = async (log: UsageLog, count: number): Promise<void> => {
    for (let number = 0; number < count; number++) {
      log.count(id(1), { queries: 1 });
      await log.store();
    }
  };
  const collectAll = async (usage: StoredUsage, sum: Sum): Promise<number> => {
    for (let pages = 0; ; pages++) {
      const { batches, more } = await usage.page();
      expect(batches.length).toBeLessThanOrEqual(maxPageBatches);
      batches.forEach((batch) => sum.add(batch));
      await usage.remove(batches);
      if (!more) return pages + 1;
    }
  };

  it('becomes ever fewer objects while nobody collects it, and is counted once then', async () => {
    const { store, log, usage, bundler } = node();
    await storeBatches(log, 1_000);
    // Of 14 times 64, and of the last ones.
    expect(store.objects.size).toBe(14 + 104);
    expect(bundler.uncollected).toBe(992);
    const sum = new Sum();
    expect(await collectAll(usage, sum)).toBe(16);
    expect(sum.total).toEqual([0, 0, 0, 1_000]);
    expect(store.objects.size).toBe(0);
    await storeBatches(log, 8);
    expect(bundler.uncollected).toBe(8);
  });

  it('is not bundled while somebody collects it', async () => {
    const { store, log, usage, bundler } = node();
    const sum = new Sum();
    const names = new Set<string>();
    for (let round = 0; round < 40; round++) {
      await storeBatches(log, 7);
      for (const key of store.objects.keys()) names.add(key);
      await collectAll(usage, sum);
    }
    expect([...names].filter((name) => name.includes('-'))).toEqual([]);
    expect([sum.total[3], store.objects.size]).toEqual([280, 0]);
    expect(bundler.uncollected).toBeLessThan(8);
  });

  it.each(testSeeds(30))(
    'is counted exactly once while it is bundled, handed on and removed at the same time, under faults (seed %i)',
    async (seed) => {
      const runtime = new VirtualRuntime(seed);
      const stored = new MemoryStore();
      const faulty = new FaultyObjectStore(runtime, stored, { ...someFaults, unavailable: 15 }, seed);
      const { log, usage } = node(faulty, runtime);
      const sum = new Sum();
      let counted = 0;
      let bundles = 0;
      for (let round = 0; round < 6; round++) {
        const storing = (async () => {
          for (let number = 0; number < 70; number++) {
            log.count(id(number % 3), { queries: 1 });
            counted += 1;
            await log.store().catch(() => undefined);
          }
        })();
        // Whoever adds up comes late, may die before it has removed what it added, or remove what it added long ago.
        const collecting = (async () => {
          if (round < 3) return;
          for (let pages = 0; pages < 4; pages++) {
            const { batches } = await usage.page();
            if (runtime.randomFraction() < 0.5) await runtime.sleep(500);
            batches.forEach((batch) => sum.add(batch));
            if (runtime.randomFraction() < 0.7) await usage.remove(batches);
          }
        })();
        await runtime.run(Promise.all([storing, collecting.catch(() => undefined)]));
        bundles += [...stored.objects.keys()].filter((key) => key.includes('-')).length;
      }
      faulty.heal();
      await runtime.drain();
      await runtime.run(collectAll(usage, sum));
      expect(sum.total).toEqual([0, 0, 0, counted]);
      expect(bundles).toBeGreaterThan(0);
      await runtime.run(collectAll(usage, sum));
      expect([...stored.objects.keys()]).toEqual([]);
    },
  );

  it('that is damaged, even pages of it, is set aside, and holds up no other', async () => {
    const { store, log, usage, reports } = node();
    await storeBatches(log, 100);
    for (let sequence = 1; sequence <= 80; sequence++) {
      const { body } = store.objects.get(usageBatchName(epoch, sequence))!;
      body[body.length - 3]! ^= 1;
    }
    const sum = new Sum();
    expect(await collectAll(usage, sum)).toBe(1);
    expect(sum.total[3]).toBe(20);
    expect(reports).toEqual(Array.from({ length: 80 }, () => 'a batch of usage was damaged, and is set aside'));
    const left = [...store.objects.keys()];
    expect(left).toHaveLength(80);
    expect(left.every((key) => key.startsWith(`usage-aside/${epoch}/`))).toBe(true);
    // Nothing more is said of it.
    await collectAll(usage, sum);
    expect(reports).toHaveLength(80);
  });

  it('of a release that is not known waits, with those after it in its epoch, and holds up no other epoch', async () => {
    const { store, log, usage, reports } = node();
    await storeBatches(log, 3);
    const name = usageBatchName(epoch, 2);
    const stored = store.objects.get(name)!;
    const { body } = stored;
    const newer = Buffer.from(body.toString('utf8').replace('turso-byoc/usage/1', 'turso-byoc/usage/9'));
    store.objects.set(name, { ...stored, body: newer });
    const others = new UsageLog({
      runtime: new VirtualRuntime(),
      store,
      epoch: 'f'.repeat(32) as NodeEpoch,
      report: () => 0,
    });
    await storeBatches(others, 2);
    const { batches, more } = await usage.page();
    expect(batches.map((batch) => [batch.epoch[0], batch.sequence])).toEqual([
      ['e', 1],
      ['f', 1],
      ['f', 2],
    ]);
    expect([more, reports]).toEqual([false, ['a batch of usage is of another release']]);
    await usage.remove(batches);
    expect(store.objects.size).toBe(2);
    store.objects.set(name, stored);
    expect((await usage.page()).batches.map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it('that comes wrong once is read again, and is not set aside', async () => {
    const stored = new MemoryStore();
    let isWrong = true;
    const get = stored.get.bind(stored);
    stored.get = async (key) => {
      const object = await get(key);
      if (!object || !isWrong) return object;
      isWrong = false;
      return { ...object, body: object.body.subarray(1) };
    };
    const { log, usage, reports } = node(stored);
    await storeBatches(log, 2);
    isWrong = true;
    expect((await usage.page()).batches.map(({ sequence }) => sequence)).toEqual([1, 2]);
    expect(reports).toEqual([]);
  });

  it('goes on past a damaged batch with what comes after it', async () => {
    const { store, log, usage, reports } = node();
    log.count(id(1), { queries: 1 });
    await log.store();
    log.count(id(1), { queries: 2 });
    await log.store();
    const first = store.objects.get(usageBatchName(epoch, 1))!;
    first.body[first.body.length - 3]! ^= 1;
    expect((await usage.page()).batches.map(({ sequence }) => sequence)).toEqual([2]);
    expect(reports).toEqual(['a batch of usage was damaged, and is set aside']);
  });
});
