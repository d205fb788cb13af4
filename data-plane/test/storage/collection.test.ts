/** Garbage collection: what is kept stays whole, what is not goes, and a crash at any point harms nothing. */
import { collectDatabase } from '../../src/database/collect-database.js';
import type { DatabaseId } from '../../src/identity.js';
import { manifestName } from '../../src/storage/object-names.js';
import { earliestMoment } from '../../src/storage/restore-point.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { Crash, CrashingStore } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const [parentId, childId, grandchildId] = [sampleId(1), sampleId(2), sampleId(3)];
const minuteMs = 60_000;
const dayMs = 86_400_000;
const policy = { historyMs: 10 * minuteMs, undeleteMs: 20 * minuteMs };

let world: StorageWorld;
let node: StorageNode;
let random: ReturnType<typeof seededRandom>;

beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node(undefined, policy);
  random = seededRandom(11);
});

/** Writes, folds and lets time pass, again and again. */
async function age(sample: StoredSample, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await sample.write(random, 2, 100);
    await sample.fold();
    await world.runtime.advance(3 * minuteMs);
  }
}

async function assertWhole(id: DatabaseId): Promise<void> {
  node = await world.node(undefined, policy);
  const sample = await node.open(id);
  await sample.assertHistory(earliestMoment(sample.manifest).commit);
}

describe('a collection', () => {
  it('deletes what going back needs no more, and nothing else', async () => {
    const parent = await node.create(parentId);
    await age(parent, 12);
    const before = node.objectsOf(parentId).length;
    await parent.collect();
    const { horizon, garbage } = parent.manifest;
    expect(garbage).toBeUndefined();
    expect(horizon?.commitTimeMs).toBeLessThanOrEqual(world.runtime.nowMs() - policy.historyMs);
    expect(node.objectsOf(parentId).length).toBeLessThan(before / 2);
    await assertWhole(parentId);
    await expect((await node.open(parentId)).imageAt({ commit: (horizon?.commit ?? 0) - 1 })).rejects.toMatchObject({
      code: 'RESTORE_POINT_NOT_FOUND',
    });
    // Collecting again finds nothing, and writes nothing.
    const again = await node.open(parentId);
    const { version } = again.manifest;
    await again.collect();
    await again.collect();
    expect(again.manifest.version).toBeLessThanOrEqual(version + 1);
  });

  it('keeps what branches need for as long as they need it, and then lets it go', async () => {
    const parent = await node.create(parentId);
    await age(parent, 3);
    const child = await parent.branch(childId);
    await age(parent, 8);
    await parent.collect();
    await assertWhole(childId);
    expect(parent.manifest.pins).toHaveLength(1);
    const kept = node.objectsOf(parentId).length;

    const own = await node.open(childId);
    own.sample.write(100, new Map(Array.from({ length: 100 }, (_, page) => [page + 1, Buffer.alloc(4096, page)])));
    node.context.log.append(own, { ...own.sample.commits.at(-1), timeMs: world.runtime.nowMs() } as never);
    await own.durable();
    await age(own, 8);
    await own.collect();
    expect(own.manifest.parent?.released).toBe(true);
    expect(own.manifest.keys.map(({ opens }) => opens)).toEqual([undefined]);
    const last = await node.open(parentId);
    await last.collect();
    expect(last.manifest.pins).toEqual([]);
    expect(node.objectsOf(parentId).length).toBeLessThan(kept);
    await assertWhole(parentId);
    await assertWhole(childId);
    expect(child.manifest.parent?.released).toBeUndefined();
  });

  it('keeps what a branch of a branch needs, though the branch between is deleted and gone', async () => {
    const parent = await node.create(parentId);
    await age(parent, 2);
    const child = await parent.branch(childId);
    const grandchild = await child.branch(grandchildId);
    await node.delete(childId);
    await node.delete(parentId);
    await world.runtime.advance(dayMs);
    for (const id of [childId, parentId, childId]) await node.collect(id);
    for (const id of [childId, parentId]) {
      const manifest = await node.manifest(id);
      expect(manifest).toMatchObject({ collected: true, keys: [], tail: [] });
      expect(manifest.generation).toBeUndefined();
      expect(manifest.owner).toBeUndefined();
    }
    await assertWhole(grandchildId);
    await grandchild.node.delete(grandchildId).catch(() => undefined);
    node = await world.node(undefined, policy);
    await node.delete(grandchildId);
    await world.runtime.advance(dayMs);
    for (const id of [grandchildId, childId, parentId]) await node.collect(id);
    for (const id of [grandchildId, childId, parentId]) expect(node.objectsOf(id)).toEqual([]);
    // Nothing left to do, ever: not even a claim.
    const { version } = await node.manifest(parentId);
    await node.collect(parentId);
    expect((await node.manifest(parentId)).version).toBe(version);
  });

  it('deletes a deleted database only when it cannot be brought back', async () => {
    const parent = await node.create(parentId);
    await age(parent, 2);
    await parent.write(random, 2);
    await node.delete(parentId);
    await node.collect(parentId);
    await world.runtime.advance(policy.undeleteMs - 1);
    await node.collect(parentId);
    await node.undelete(parentId);
    await assertWhole(parentId);
    await node.delete(parentId);
    await world.runtime.advance(policy.undeleteMs);
    await expect(node.undelete(parentId)).rejects.toMatchObject({ code: 'UNDELETE_EXPIRED' });
    await node.collect(parentId);
    expect(node.objectsOf(parentId)).toEqual([]);
    await expect(node.undelete(parentId)).rejects.toMatchObject({ code: 'UNDELETE_EXPIRED' });
  });

  it('finds what crashed folds left, of lower terms and of its own', async () => {
    const parent = await node.create(parentId);
    await age(parent, 2);
    const objects = (): string[] => node.objectsOf(parentId);
    const orphans = new Set<string>();
    for (let crashed = 0; crashed < 3; crashed++) {
      // Everything of the fold is stored but the manifest.
      const { manifests } = node.context;
      const replace = manifests.replace.bind(manifests);
      manifests.replace = async () => Promise.reject(new Error('the node dies here'));
      const before = new Set(objects());
      await parent.write(random, 1);
      await expect(parent.fold()).rejects.toThrow('dies here');
      manifests.replace = replace;
      for (const key of objects()) if (!before.has(key)) orphans.add(key);
      if (crashed === 1) await age(parent, 1);
    }
    expect(orphans.size).toBeGreaterThanOrEqual(9);
    node = await world.node(undefined, policy);
    const next = await node.open(parentId);
    await age(next, 2);
    await next.collect();
    // Those that the present generation may share its number with wait for the next.
    await age(next, 1);
    await next.collect();
    expect(objects().filter((key) => orphans.has(key))).toEqual([]);
    await assertWhole(parentId);
  });

  it('gives up the pin of a branch that was never made, and makes it impossible first', async () => {
    const parent = await node.create(parentId);
    await age(parent, 1);
    const { manifests } = node.context;
    const create = manifests.create.bind(manifests);
    manifests.create = async () => Promise.reject(new Error('the node dies here'));
    await expect(parent.branchWithoutOpening(childId)).rejects.toThrow('dies here');
    manifests.create = create;
    const again = await node.open(parentId);
    expect(again.manifest.pins).toHaveLength(1);
    await again.collect();
    expect(again.manifest.pins).toHaveLength(1);
    await world.runtime.advance(dayMs);
    await again.collect();
    expect(again.manifest.pins).toEqual([]);
    await expect(again.branchWithoutOpening(childId)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    await node.collect(childId);
    expect(node.objectsOf(childId)).toEqual([]);
  });

  it('deletes nothing when what is kept is damaged', async () => {
    const parent = await node.create(parentId);
    await age(parent, 12);
    // Among these is the one that going back is to begin with.
    for (const key of node.objectsOf(parentId)) {
      if (/-00000000000[6-9]\/generation$/.test(key)) world.dataStore.objects.delete(key);
    }
    const before = node.objectsOf(parentId);
    await expect(parent.collect()).rejects.toMatchObject({ code: 'STORE_OBJECT_MISSING' });
    expect(node.objectsOf(parentId)).toEqual(before);
  });
});

describe('two collections of one database at once', () => {
  it('do not take the list that the other one has removed for damage', async () => {
    const parent = await node.create(parentId);
    await age(parent, 12);
    const { dataStore } = world;
    const collect = async () => collectDatabase(node.context, parent.owned.owned);
    let [hasDeleted, goOn] = [(): void => undefined, (): void => undefined];
    const deleted = new Promise<void>((resolve) => (hasDeleted = resolve));
    const goesOn = new Promise<void>((resolve) => (goOn = resolve));
    let first: Promise<unknown> | undefined;
    const { manifests } = node.context;
    const replace = manifests.replace.bind(manifests);
    manifests.replace = async (base, next) => {
      if (!first) {
        // The second one is about to record what the first one is faster to record, and to delete.
        first = collect();
        await deleted;
      } else if (base.manifest.garbage && !next.garbage) {
        hasDeleted();
        await goesOn;
      }
      return replace(base, next);
    };
    let reads = 0;
    dataStore.get = async (key) => {
      if (key.includes('/garbage/') && ++reads === 2) {
        // It has read the manifest that names the list of the first one, which comes to its end now.
        goOn();
        await first;
      }
      return dataStore.objects.get(key);
    };
    const { manifest } = await world.runtime.run(collect());
    expect(reads).toBe(2);
    expect(manifest.garbage).toBeUndefined();
    await assertWhole(parentId);
  });

  it('still tell of a list that is missing while the manifest names it', async () => {
    const parent = await node.create(parentId);
    await age(parent, 12);
    const { dataStore } = world;
    dataStore.get = async (key) => (key.includes('/garbage/') ? undefined : dataStore.objects.get(key));
    await expect(parent.collect()).rejects.toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
  });
});

describe('a stalled owner', () => {
  it('that was overtaken can neither record garbage nor make what was deleted live again', async () => {
    const stalled = await node.create(parentId);
    await age(stalled, 12);
    await stalled.write(random, 1);
    const successor = await world.node(undefined, policy);
    const next = await successor.open(parentId);
    await age(next, 3);
    await next.collect();
    await expect(stalled.collect()).rejects.toMatchObject({ code: 'DATABASE_MOVED' });
    await expect(stalled.fold()).rejects.toMatchObject({ code: expect.stringMatching(/MOVED|MISSING/) as string });
    await expect(stalled.branchWithoutOpening(childId)).rejects.toMatchObject({
      code: expect.stringMatching(/MOVED|MISSING/) as string,
    });
    world.samples.delete(childId);
    await assertWhole(parentId);
  });
});

describe('branches beside collections', () => {
  it.each(testSeeds(12))('keep every database whole as far as its history is kept (seed %i)', async (seed) => {
    const choice = seededRandom(seed);
    random = choice;
    const ids = [parentId];
    const open = new Map<DatabaseId, StoredSample>([[parentId, await node.create(parentId)]]);
    const deleted = new Set<DatabaseId>();
    for (let step = 0; step < 90; step++) {
      const id = ids[choice.below(ids.length)] as DatabaseId;
      const kind = choice.below(20);
      const sample = open.get(id);
      if (!sample) {
        await node.collect(id);
        if (kind === 0 && (await node.manifest(id)).collected !== true) {
          await node.undelete(id);
          open.set(id, await node.open(id));
          deleted.delete(id);
        }
      } else if (kind < 7) await sample.write(choice, 1 + choice.below(3));
      else if (kind < 11) await sample.fold();
      else if (kind < 14) await sample.collect();
      else if (kind === 14) {
        node = await world.node(undefined, policy);
        for (const each of open.keys()) open.set(each, await node.open(each));
      } else if (kind === 15 && open.size > 1) {
        await node.delete(id);
        open.delete(id);
        deleted.add(id);
      } else if (ids.length < 8) {
        const child = sampleId(ids.length + 1);
        const from = earliestMoment(sample.manifest).commit;
        const commit = from + choice.below(sample.sample.commits.length - from + 1);
        const timeMs = sample.sample.commits[commit - 1]?.timeMs;
        const isNow = timeMs === undefined || commit === from || choice.below(2) === 0;
        open.set(child, isNow ? await sample.branch(child) : await sample.branch(child, { timeMs }, commit));
        ids.push(child);
      }
      await world.runtime.advance(choice.below(4) * minuteMs);
    }
    for (const id of ids) await (open.get(id)?.collect() ?? node.collect(id));
    node = await world.node(undefined, policy);
    for (const id of open.keys()) {
      const sample = await node.open(id);
      await sample.assertHistory(earliestMoment(sample.manifest).commit);
    }
    // Everything deleted goes in the end: children before parents, and parents once more.
    await world.runtime.advance(30 * dayMs);
    for (const id of open.keys()) await node.delete(id);
    await world.runtime.advance(30 * dayMs);
    for (let round = 0; round < ids.length; round++) for (const id of [...ids].reverse()) await node.collect(id);
    for (const id of ids) expect(node.objectsOf(id)).toEqual([]);
  });
});

describe('a crash while garbage is collected', () => {
  it('at any call to the store harms nothing, and the next collection ends the work', async () => {
    // One world whose state before the crash is put back for every call.
    const parent = await node.create(parentId);
    await age(parent, 4);
    await parent.branchWithoutOpening(childId);
    await age(parent, 6);
    const before = new Map(world.dataStore.objects);
    const logBefore = new Map(world.logStore.objects);
    const commits = parent.sample.commits.length;
    for (let call = 1, isOver = false; !isOver; call++) {
      for (const side of ['before', 'after'] as const) {
        world.dataStore.objects.clear();
        for (const [key, object] of before) world.dataStore.objects.set(key, object);
        world.logStore.objects.clear();
        for (const [key, object] of logBefore) world.logStore.objects.set(key, object);
        parent.sample.rewindTo(commits);
        const crash = new Crash({ call, side });
        const dying = await world.node((store) => new CrashingStore(world.runtime, store, crash), policy);
        const script = async (): Promise<void> => (await dying.open(parentId)).collect();
        await Promise.race([script(), crash.happened]);
        isOver ||= crash.calls < call;
        if (call % 4 === 0 || isOver) {
          await assertWhole(parentId);
          await assertWhole(childId);
        }
        node = await world.node(undefined, policy);
        const again = await node.open(parentId);
        await again.write(random, 1);
        await again.fold();
        await again.collect();
        await again.collect();
        expect(again.manifest.garbage).toBeUndefined();
        expect(node.objectsOf(parentId).some((key) => key.includes('/garbage/'))).toBe(false);
        await assertWhole(parentId);
        await assertWhole(childId);
        expect(world.dataStore.objects.has(manifestName(childId))).toBe(true);
      }
    }
  });
});
