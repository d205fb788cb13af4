/**
 * Another data key: what is written after it, what exists sealed anew, and when the old key may go. A scrub after each step
 * proves from the sealed bytes themselves that the ring holds every key that is needed, and every commit is gone back to.
 */
import { isResealing } from '../../src/storage/data-key-use.js';
import { encryptionState } from '../../src/database/encryption-state.js';
import { rekeyClosed, rekeyDatabase, resealClosed } from '../../src/database/rekey-database.js';
import type { Commit } from '../../src/storage/fragment.js';
import { earliestMoment } from '../../src/storage/restore-point.js';
import { scrubDatabase } from '../../src/scrub/scrub-database.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import type { DatabaseId } from '../../src/identity.js';
import { Crash, CrashingStore, type CrashPoint } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const [parentId, childId, grandchildId] = [sampleId(1), sampleId(2), sampleId(3)];
const minuteMs = 60_000;
// One segment at a time, so that a database of several takes several steps.
const policy = { historyMs: 10 * minuteMs, undeleteMs: 20 * minuteMs, resealBytes: 1 };

let world: StorageWorld;
let node: StorageNode;
let random: ReturnType<typeof seededRandom>;

beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node(undefined, policy);
  random = seededRandom(5);
});

/** Numbers of the data keys that anything of a database is sealed under; throws unless its ring holds them all. */
async function keysInUse(id: DatabaseId): Promise<readonly number[]> {
  const { runtime, dataStore, logStore } = node.context;
  const manifest = await node.manifest(id);
  const result = await runtime.sleep(0).then(async () => scrubDatabase({ runtime, dataStore, logStore, manifest }));
  expect(result.faults).toEqual([]);
  return result.dataKeys;
}

async function inUse(id: DatabaseId): Promise<readonly number[]> {
  return world.runtime.run(keysInUse(id));
}

async function grow(sample: StoredSample, rounds: number, pages = 100): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await sample.write(random, 2, pages);
    await sample.fold();
    await world.runtime.advance(3 * minuteMs);
  }
}

/** One commit that changes every page of a database of so many pages, and a fold. */
async function fill(sample: StoredSample, pages: number): Promise<void> {
  const content = Array.from({ length: pages }, (_, page) => [page + 1, Buffer.alloc(4096, page)] as const);
  sample.sample.write(pages, new Map(content));
  const before = sample.sample.commits.at(-2)?.timeMs ?? 0;
  const made = sample.sample.commits.at(-1) as Commit;
  const timed = { ...made, timeMs: Math.max(world.runtime.nowMs(), before + 1) };
  sample.sample.commits[sample.sample.commits.length - 1] = timed;
  node.context.log.append(sample, timed);
  await sample.durable();
  await sample.fold();
}

async function reopened(id: DatabaseId): Promise<StoredSample> {
  node = await world.node(undefined, policy);
  const sample = await node.open(id);
  await sample.assertHistory(earliestMoment(sample.manifest).commit);
  return sample;
}

const ringOf = ({ manifest }: StoredSample): number[] =>
  manifest.keys.flatMap(({ number, opens }) => (opens === undefined ? [number] : [])).sort((a, b) => a - b);

describe('a new data key', () => {
  it('seals everything new at once, what exists step by step, and stays with the old one as long as history needs it', async () => {
    const sample = await node.create(parentId);
    await grow(sample, 3, 200);
    await fill(sample, 160);
    expect(await inUse(parentId)).toEqual([1]);
    await sample.rekey();
    expect(sample.manifest).toMatchObject({ currentKey: 2, retiring: [{ number: 1 }] });
    let steps = 0;
    for (; isResealing(sample.manifest); steps++) await sample.resealOnce();
    // More than one, or nothing of this would be known of a database that is too large for one step.
    expect(steps).toBe(5);
    await sample.write(random, 2);
    expect(await inUse(parentId)).toEqual([1, 2]);
    await sample.collect();
    expect(ringOf(sample)).toEqual([1, 2]);
    expect(await world.runtime.run(encryptionState(node.context, sample.manifest))).toMatchObject({
      currentKey: 2,
      isResealed: true,
      dataKeys: [
        { number: 2, reasons: [{ because: 'current' }] },
        { number: 1, reasons: [{ because: 'history', untilMs: expect.any(Number) as number }] },
      ],
    });
    const again = await reopened(parentId);
    await grow(again, 8);
    await again.collect();
    expect(ringOf(again)).toEqual([2]);
    expect(again.manifest.retiring).toBeUndefined();
    expect(await inUse(parentId)).toEqual([2]);
    await reopened(parentId);
  });

  it('takes the old one out at once when the history is given up', async () => {
    const sample = await node.create(parentId);
    await grow(sample, 3, 200);
    await sample.write(random, 1);
    await sample.rekey(true);
    // Not before everything is sealed anew.
    await sample.collect();
    expect(ringOf(sample)).toEqual([1, 2]);
    await sample.reseal();
    await sample.collect();
    expect(ringOf(sample)).toEqual([2]);
    expect(await inUse(parentId)).toEqual([2]);
    expect(node.objectsOf(parentId).length).toBeLessThan(12);
    await expect(sample.imageAt({ commit: 1 })).rejects.toMatchObject({ code: 'RESTORE_POINT_NOT_FOUND' });
    const again = await reopened(parentId);
    // History begins anew, and is not given up a second time.
    await grow(again, 2);
    await again.collect();
    await again.assertHistory(earliestMoment(again.manifest).commit);
    expect(earliestMoment(again.manifest).commit).toBeLessThan(again.sample.commits.length);
  });

  it('is given to a database that was never written, or only to its log', async () => {
    const empty = await node.create(parentId);
    await empty.rekey();
    await empty.reseal();
    expect(ringOf(empty)).toEqual([2]);
    const logged = await node.create(childId);
    await logged.write(random, 2);
    await logged.rekey();
    await logged.write(random, 1);
    expect(isResealing(logged.manifest)).toBe(true);
    await logged.reseal();
    expect(await inUse(childId)).toEqual([1, 2]);
    await reopened(parentId);
    await reopened(childId);
  });

  it('is not given twice for one call that is repeated, and not for a key that there never was', async () => {
    const sample = await node.create(parentId);
    await grow(sample, 1);
    const { manifests } = node.context;
    const found = async () =>
      (await manifests.read(parentId)) as NonNullable<Awaited<ReturnType<typeof manifests.read>>>;
    node = await world.node(undefined, policy);
    const context = node.context;
    const request = { replaces: 1 };
    await world.runtime.run(found().then(async (it) => rekeyClosed(context, it, request)));
    const { version, currentKey } = (await found()).manifest;
    expect(currentKey).toBe(2);
    await world.runtime.run(found().then(async (it) => rekeyClosed(context, it, request)));
    expect((await found()).manifest.version).toBe(version);
    await expect(
      world.runtime.run(found().then(async (it) => rekeyClosed(context, it, { replaces: 3 }))),
    ).rejects.toMatchObject({ code: 'REKEY_REFUSED' });
    // Asked for again, without the history this time.
    await world.runtime.run(found().then(async (it) => rekeyClosed(context, it, { replaces: 1, dropHistory: true })));
    expect((await found()).manifest.retiring).toMatchObject([{ number: 1, dropHistory: true }]);
    while (isResealing((await found()).manifest)) {
      await world.runtime.run(found().then(async (it) => resealClosed(context, it)));
    }
    expect((await found()).manifest.owner).toBeUndefined();
    await node.collect(parentId);
    expect((await found()).manifest.keys.map(({ number }) => number)).toEqual([2]);
    await reopened(parentId);
  });

  it('leaves the old one to the branches that need it, and tells which', async () => {
    const parent = await node.create(parentId);
    await grow(parent, 2, 200);
    const child = await parent.branch(childId);
    await parent.rekey(true);
    await parent.reseal();
    await parent.collect();
    expect(ringOf(parent)).toEqual([1, 2]);
    const { dataKeys } = await world.runtime.run(encryptionState(node.context, parent.manifest));
    expect(dataKeys).toMatchObject([
      { number: 2, reasons: [{ because: 'current' }] },
      { number: 1, reasons: [{ because: 'branch', branch: childId }] },
    ]);
    // The branch is sealed anew as well: then it shares nothing, and the pin and the key go.
    await child.rekey(true);
    await child.reseal();
    await child.collect();
    expect(child.manifest.keys.map(({ number, opens }) => [number, opens])).toEqual([[2, undefined]]);
    await parent.collect();
    expect(parent.manifest.pins).toEqual([]);
    expect(ringOf(parent)).toEqual([2]);
    for (const id of [parentId, childId]) expect(await inUse(id)).toEqual([2]);
    await reopened(parentId);
    await reopened(childId);
  });

  it('is wrapped by the client where that holds the key, and sealed under while the client is there', async () => {
    const key = Buffer.alloc(32, 5).toString('base64');
    world.clientKeys.set(parentId, { key, cipher: 'aes256gcm' });
    const sample = await node.create(parentId);
    await grow(sample, 2);
    const { context } = node;
    const found = async () => (await context.manifests.read(parentId)) as typeof sample.owned.owned;
    for (const [encryption, code] of [
      [undefined, 'ENCRYPTION_KEY_REQUIRED'],
      [{ key: Buffer.alloc(32, 6).toString('base64') }, 'ENCRYPTION_KEY_WRONG'],
    ] as const) {
      const request = { replaces: 1, ...(encryption && { encryption }) };
      const refused = world.runtime.run(found().then(async (it) => rekeyClosed(context, it, request)));
      await expect(refused).rejects.toMatchObject({ code });
    }
    expect((await found()).manifest.currentKey).toBe(1);
    await sample.rekey(true);
    expect(sample.manifest.keys.map(({ number, mode }) => [number, mode])).toEqual([
      [2, 'client'],
      [1, 'client'],
    ]);
    // Nobody can go on with it without the key.
    const { version } = sample.manifest;
    await world.runtime.run(resealClosed(context, sample.owned.owned));
    expect((await node.manifest(parentId)).version).toBe(version);
    await sample.reseal();
    await sample.collect();
    expect(ringOf(sample)).toEqual([2]);
    expect(await inUse(parentId)).toEqual([2]);
    await reopened(parentId);
  });

  it('comes between the look and the pin of a branch: the branch holds it', async () => {
    const parent = await node.create(parentId);
    await grow(parent, 2);
    const { keys } = node.context;
    const rewrap = keys.rewrap.bind(keys);
    let isDone = false;
    keys.rewrap = async (...call) => {
      if (!isDone) {
        isDone = true;
        parent.adopt(await rekeyDatabase(node.context, parent.owned.owned, { replaces: 1 }));
        await parent.owned.unlocked.follow(parent.manifest);
      }
      return rewrap(...call);
    };
    await parent.branchWithoutOpening(childId);
    keys.rewrap = rewrap;
    expect(isDone).toBe(true);
    const { keys: held } = await node.manifest(childId);
    expect(held.flatMap(({ number, opens }) => (opens === undefined ? [] : [number])).sort()).toEqual([1, 2]);
    await reopened(childId);
  });
});

describe('rekeys among everything else', () => {
  it.each(testSeeds(8))('never leave a ring without a key that is needed (seed %i)', async (seed) => {
    random = seededRandom(seed);
    const open = new Map<DatabaseId, StoredSample>([[parentId, await node.create(parentId)]]);
    const further = [childId, grandchildId, sampleId(4)];
    for (let step = 0; step < 80; step++) {
      const ids = [...open.keys()];
      const id = ids[random.below(ids.length)] as DatabaseId;
      const sample = open.get(id) as StoredSample;
      const kind = random.below(20);
      if (kind < 6) await sample.write(random, 1 + random.below(3), 150);
      else if (kind < 9) await sample.fold();
      else if (kind < 12) await sample.resealOnce();
      else if (kind < 15) await sample.collect();
      else if (kind < 17) await sample.rekey(random.below(3) === 0);
      else if (kind === 17 && further.length > 0) {
        const child = further.pop() as DatabaseId;
        open.set(child, await sample.branch(child));
      } else if (kind === 18) {
        node = await world.node(undefined, policy);
        for (const each of open.keys()) open.set(each, await node.open(each));
      }
      await world.runtime.advance(random.below(4) * minuteMs);
      if (step % 10 === 9) for (const each of open.keys()) await inUse(each);
    }
    for (const id of open.keys()) {
      const sample = await reopened(id);
      await sample.rekey(true);
      await sample.reseal();
      await sample.collect();
      expect(await inUse(id)).toContain(sample.manifest.currentKey);
    }
    for (const id of open.keys()) await reopened(id);
  });
});

describe('a crash while a data key is replaced', () => {
  it('at any call to the store loses nothing, and the work goes on from there', async () => {
    const sample = await node.create(parentId);
    await grow(sample, 2, 100);
    await sample.branchWithoutOpening(childId);
    await grow(sample, 1, 100);
    await sample.write(random, 1);
    const before = [new Map(world.dataStore.objects), new Map(world.logStore.objects)] as const;
    const commits = sample.sample.commits.length;
    const script = async (dying: StorageNode): Promise<void> => {
      const own = await dying.open(parentId);
      await own.rekey(true);
      await own.reseal();
      await own.collect();
    };
    const play = async (crash: Crash): Promise<void> => {
      world.dataStore.objects.clear();
      for (const [key, object] of before[0]) world.dataStore.objects.set(key, object);
      world.logStore.objects.clear();
      for (const [key, object] of before[1]) world.logStore.objects.set(key, object);
      sample.sample.rewindTo(commits);
      const dying = await world.node((store) => new CrashingStore(world.runtime, store, crash), policy);
      await Promise.race([script(dying), crash.happened]);
    };
    const whole = new Crash();
    await play(whole);
    const points = Array.from({ length: whole.calls }, (_, index) => index + 1).flatMap((call): CrashPoint[] =>
      whole.writes.includes(call)
        ? [
            { call, side: 'before' },
            { call, side: 'after' },
          ]
        : [{ call, side: 'before' }],
    );
    expect(points.length).toBeGreaterThan(40);
    for (const point of points) {
      await play(new Crash(point));
      try {
        const again = await reopened(parentId);
        await inUse(parentId);
        await again.write(random, 1);
        if (again.manifest.currentKey === 1) await again.rekey(true);
        await again.reseal();
        await again.collect();
        await again.collect();
        expect(ringOf(again)).toContain(2);
        await inUse(parentId);
        await reopened(parentId);
        await reopened(childId);
      } catch (error) {
        throw new Error(`crash ${point.side} call ${point.call}`, { cause: error });
      }
    }
  }, 300_000);
});
