/** Legal holds: what is held outlives age, deletion and every wish to erase it, whatever was under way when it was placed. */
import { changeHoldOfClosed, type HoldChange, type HoldRequest } from '../../src/database/hold-database.js';
import { readCertificate, requestShred } from '../../src/database/shred-database.js';
import { isByocError } from '../../src/errors/catalogue.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { maxHolds, maxReleasedHolds } from '../../src/storage/legal-hold.js';
import { seededRandom } from '../seeded-random.js';
import { Crash, CrashingStore, crashingVersions } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const [id, childId] = [sampleId(1), sampleId(2)];
const minuteMs = 60_000;
const dayMs = 86_400_000;
const policy = { historyMs: 10 * minuteMs, undeleteMs: 20 * minuteMs };

let world: StorageWorld;
let node: StorageNode;
let random: ReturnType<typeof seededRandom>;

beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node(undefined, policy);
  random = seededRandom(5);
});

function place(hold: Partial<HoldRequest> = {}): HoldChange {
  return { kind: 'place', hold: { reference: 'matter 1', reason: 'a dispute', requestedBy: 'alice', ...hold } };
}

function release(reference = 'matter 1'): HoldChange {
  return { kind: 'release', release: { reference, requestedBy: 'bob' } };
}

/** Writes, folds and lets time pass, again and again. */
async function age(sample: StoredSample, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await sample.write(random, 1, 20);
    await sample.fold();
    await world.runtime.advance(3 * minuteMs);
  }
}

/** The last commit of a sample that is not younger than a moment. */
function commitAt(sample: StoredSample, timeMs: number): number {
  return sample.sample.commits.filter((commit) => commit.timeMs <= timeMs).length;
}

/** Throws unless a new owner can go back to every moment from `sinceMs` on. */
async function assertKept(sinceMs: number): Promise<void> {
  node = await world.node(undefined, policy);
  if ((await node.manifest(id)).deletedAtMs !== undefined) await node.undelete(id);
  const sample = await node.open(id);
  await sample.assertHistory(commitAt(sample, sinceMs));
}

async function shred(by = node): Promise<void> {
  const found = await by.context.manifests.read(id);
  if (!found) throw new Error('no manifest');
  await world.runtime.run(requestShred(by.context, found, { requestedBy: 'carol' }));
  await by.collect(id);
}

describe('a held database', () => {
  it('keeps every commit from the moment of the hold on, nothing older, and lets go when it is released', async () => {
    const sample = await node.create(id);
    await age(sample, 6);
    const sinceMs = world.runtime.nowMs();
    await sample.changeHold(place());
    expect(sample.manifest.holds).toMatchObject([{ reference: 'matter 1', sinceMs, placedBy: 'alice' }]);
    await age(sample, 8);
    await sample.collect();
    const { horizon } = sample.manifest;
    expect(horizon?.commit).toBe(commitAt(sample, sinceMs));
    const kept = node.objectsOf(id).length;
    await assertKept(sinceMs);
    const again = await node.open(id);
    await again.changeHold(release());
    expect(again.manifest.holds).toBeUndefined();
    expect(again.manifest.releasedHolds).toMatchObject([
      { reference: 'matter 1', reason: 'a dispute', placedBy: 'alice', releasedBy: 'bob' },
    ]);
    await again.collect();
    expect(again.manifest.horizon?.commit).toBeGreaterThan(horizon?.commit ?? Infinity);
    expect(node.objectsOf(id).length).toBeLessThan(kept);
  });

  it('is neither deleted, nor loses history or keys by another data key, nor is given into the hands of a client', async () => {
    const sample = await node.create(id);
    await age(sample, 2);
    const sinceMs = world.runtime.nowMs();
    await sample.changeHold(place());
    await age(sample, 2);
    await sample.rekey();
    await expect(sample.rekey(true)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    const toClient = { mode: 'client', key: Buffer.alloc(32, 1).toString('base64'), cipher: 'aes256gcm' } as const;
    await expect(sample.changeWrapping({ to: toClient })).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    await sample.reseal();
    await age(sample, 8);
    await sample.collect();
    expect(sample.manifest.keys).toHaveLength(2);
    await expect(node.delete(id)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    await expect(shred()).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    expect((await node.manifest(id)).deletedAtMs).toBeUndefined();
    await assertKept(sinceMs);
    const again = await node.open(id);
    await again.changeHold(release());
    await again.collect();
    expect(again.manifest.keys).toHaveLength(1);
    await node.delete(id);
  });

  it('that is deleted can be brought back for as long as it is held, and goes when it is released', async () => {
    const sample = await node.create(id);
    await age(sample, 3);
    await node.delete(id);
    // Its time is over, and nobody has looked yet.
    await world.runtime.advance(policy.undeleteMs);
    const sinceMs = world.runtime.nowMs();
    await node.changeHold(id, place());
    await world.runtime.advance(30 * dayMs);
    await node.collect(id);
    await expect(shred()).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    await assertKept(sinceMs);
    // It was brought back, and is held as before.
    await expect(node.delete(id)).rejects.toMatchObject({ code: 'DATABASE_HELD' });
    await node.changeHold(id, release());
    await node.delete(id);
    await node.changeHold(id, place());
    await world.runtime.advance(policy.undeleteMs);
    await node.collect(id);
    expect((await node.manifest(id)).keys).toHaveLength(1);
    await node.changeHold(id, release());
    await node.collect(id);
    expect(node.objectsOf(id)).toEqual([]);
    expect(await readCertificate(node.context, id)).toMatchObject({ requestedBy: 'undelete window' });
    await expect(node.changeHold(id, place())).rejects.toMatchObject({ code: 'HOLD_REFUSED' });
  });

  it('ends erasures that were asked for and not done, and says which', async () => {
    const sample = await node.create(id);
    await age(sample, 2);
    await sample.rekey(true);
    await sample.changeHold(place());
    expect(sample.manifest.holds).toMatchObject([{ interrupted: ['drop-history'] }]);
    await sample.reseal();
    await sample.collect();
    await assertKept(0);
    await node.changeHold(id, release());
    await node.delete(id);
    const found = await node.context.manifests.read(id);
    if (!found) throw new Error('no manifest');
    await world.runtime.run(requestShred(node.context, found, { requestedBy: 'carol' }));
    await node.changeHold(id, place());
    expect((await node.manifest(id)).holds).toMatchObject([{ interrupted: ['shred'] }]);
    await assertKept(0);
    await node.changeHold(id, release());
    await node.delete(id);
    await node.collect(id);
    await node.undelete(id);
  });

  it('is refused for a moment that is not kept any more, or not yet there', async () => {
    const sample = await node.create(id);
    await age(sample, 8);
    await sample.collect();
    const earliest = sample.manifest.horizon?.commitTimeMs ?? 0;
    const nowMs = world.runtime.nowMs();
    for (const sinceMs of [earliest - 1, nowMs + 1]) {
      await expect(sample.changeHold(place({ sinceMs }))).rejects.toMatchObject({ code: 'HOLD_REFUSED' });
    }
    await sample.changeHold(place({ sinceMs: earliest }));
    await world.runtime.advance(dayMs);
    await sample.collect();
    await assertKept(earliest);
  });

  it('may be held for several matters, each placed and released once', async () => {
    const sample = await node.create(id);
    await age(sample, 2);
    const first = world.runtime.nowMs();
    await sample.changeHold(place());
    await age(sample, 2);
    await sample.changeHold(place({ reference: 'matter 2' }));
    const { version } = sample.manifest;
    await sample.changeHold(place());
    await sample.changeHold(release('matter 3'));
    expect(sample.manifest.version).toBe(version);
    await sample.changeHold(place({ reason: 'a dispute, and its appeal' }));
    // It never begins later than it did.
    await sample.changeHold(place({ reason: 'the appeal', sinceMs: world.runtime.nowMs() }));
    await sample.changeHold(release('matter 2'));
    expect(sample.manifest.holds).toMatchObject([{ reference: 'matter 1', reason: 'the appeal', sinceMs: first }]);
    await age(sample, 8);
    await sample.collect();
    await assertKept(first);
    const again = await node.open(id);
    for (let matter = 2; matter <= maxHolds; matter++) await again.changeHold(place({ reference: `m ${matter}` }));
    await expect(again.changeHold(place({ reference: 'one more' }))).rejects.toMatchObject({ code: 'HOLD_REFUSED' });
    for (let round = 0; round <= maxReleasedHolds; round++) {
      await again.changeHold(release(`m ${maxHolds}`));
      await again.changeHold(place({ reference: `m ${maxHolds}` }));
    }
    expect(again.manifest.releasedHolds).toHaveLength(maxReleasedHolds);
  });

  it('does not hold its branches', async () => {
    const sample = await node.create(id);
    await age(sample, 2);
    await sample.changeHold(place());
    await sample.branch(childId);
    expect((await node.manifest(childId)).holds).toBeUndefined();
    await node.delete(childId);
    await world.runtime.advance(dayMs);
    await node.collect(childId);
    expect(node.objectsOf(childId)).toEqual([]);
  });
});

/** Counts the calls of one process to its stores, and does something before one of them. */
class Interruption extends Crash {
  constructor(
    private readonly call: number,
    private readonly act: () => Promise<void>,
  ) {
    super();
  }

  override async around<T>(_isWrite: boolean, perform: () => Promise<T>): Promise<T> {
    this.calls += 1;
    if (this.calls === this.call) await world.runtime.hold(this.act());
    return perform();
  }
}

type Outcome = 'held' | 'refused' | 'too late';

describe('a hold that is placed while something is being collected', () => {
  const kinds: readonly {
    readonly what: string;
    readonly prepare: (sample: StoredSample) => Promise<void>;
    readonly collect: (by: StorageNode) => Promise<void>;
    readonly isDeleted?: boolean;
  }[] = [
    {
      what: 'history that is old',
      prepare: async () => undefined,
      collect: async (by) => by.collect(id),
    },
    {
      what: 'history that is dropped with its key',
      prepare: async (sample) => {
        await sample.rekey(true);
        await sample.reseal();
      },
      collect: async (by) => by.collect(id),
    },
    {
      what: 'a deleted database whose time is over',
      prepare: async () => {
        await node.delete(id);
        await world.runtime.advance(policy.undeleteMs);
      },
      collect: async (by) => by.collect(id),
      isDeleted: true,
    },
    {
      what: 'a deleted database that is shredded',
      prepare: async () => node.delete(id),
      collect: async (by) => shred(by),
      isDeleted: true,
    },
  ];

  it.each(
    kinds.flatMap((kind) => [true, false].map((isEarly) => [kind.what, isEarly ? 'early' : 'now', kind] as const)),
  )(
    'keeps everything or is refused: %s, held from %s on',
    async (_what, from, { prepare, collect, isDeleted = false }) => {
      const first = await node.create(id);
      await age(first, 5);
      await prepare(first);
      const sinceMs = from === 'early' ? minuteMs + (first.sample.commits[0]?.timeMs ?? 0) : world.runtime.nowMs();
      const { objects, replaced } = world.dataStore;
      world.dataStore.isVersioned = true;
      const before = [...objects];
      const logBefore = [...world.logStore.objects];
      const versions = [...replaced].map(([key, each]) => [key, new Map(each)] as const);
      /** Collects from the same state as ever, and places the hold before one call; the outcome, and how many calls it took. */
      const play = async (call: number): Promise<{ outcome: Outcome; calls: number }> => {
        objects.clear();
        for (const [key, object] of before) objects.set(key, object);
        world.logStore.objects.clear();
        for (const [key, object] of logBefore) world.logStore.objects.set(key, object);
        replaced.clear();
        for (const [key, each] of versions) replaced.set(key, new Map(each));
        const placing: { outcome: Outcome } = { outcome: 'too late' };
        const interruption = new Interruption(call, async () => {
          // Of the same node, as it is for a database that is open: nothing is claimed away from the collection.
          const direct = { ...collector.context, manifests: node.context.manifests };
          const found = await direct.manifests.read(id);
          if (!found) throw new Error('no manifest');
          try {
            await changeHoldOfClosed(direct, found, place(from === 'early' ? { sinceMs } : {}));
            placing.outcome = 'held';
          } catch (error) {
            if (!isByocError(error, 'HOLD_REFUSED')) throw error;
            placing.outcome = 'refused';
          }
        });
        const seen = crashingVersions(world.runtime, world.dataStore.versions, interruption);
        const see = (store: ObjectStore): ObjectStore => new CrashingStore(world.runtime, store, interruption);
        const collector: StorageNode = await world.node(see, policy, seen);
        interruption.calls = 0;
        const failure: unknown = await collect(collector).then(
          () => undefined,
          (error: unknown) => error,
        );
        const { outcome } = placing;
        const isExpected = outcome === 'held' && isByocError(failure, 'DATABASE_MOVED', 'DATABASE_HELD');
        if (failure !== undefined && !isExpected) throw new Error('the collection failed', { cause: failure });
        return { outcome, calls: interruption.calls };
      };
      const { calls } = await play(Infinity);
      const counts = { held: 0, refused: 0, 'too late': 0 };
      for (let call = 1; call <= calls; call++) {
        const { outcome } = await play(call);
        counts[outcome] += 1;
        if (outcome !== 'held') continue;
        try {
          // Whoever looks next collects no more of it either.
          node = await world.node(undefined, policy);
          await node.collect(id);
          expect((await node.manifest(id)).holds).toHaveLength(1);
          await assertKept(sinceMs);
        } catch (error) {
          throw new Error(`held before call ${call} of ${calls}`, { cause: error });
        }
      }
      expect(counts['too late']).toBe(0);
      expect(counts.held).toBeGreaterThan(3);
      // The present of a database that is not deleted is never gone.
      if (from === 'early' || isDeleted) expect(counts.refused).toBeGreaterThan(0);
      else expect(counts.refused).toBe(0);
    },
    60_000,
  );
});
