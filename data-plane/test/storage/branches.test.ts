/** Branches: what they hold, what they share, what a crash leaves. */
import type { DatabaseId } from '../../src/identity.js';
import { databaseAt, readGenerationWithoutKey, type SegmentReference } from '../../src/storage/generation.js';
import { lineOf, storedManifest, type Manifest } from '../../src/storage/manifest.js';
import { manifestName } from '../../src/storage/object-names.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { Crash, CrashingStore } from './crashing-store.js';
import { newDatabase, sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const fault = (code: string, named = ''): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(named) });

const [parentId, childId, grandchildId] = [sampleId(1), sampleId(2), sampleId(3)];

let world: StorageWorld;
let node: StorageNode;
const random = seededRandom(7);

beforeEach(async () => {
  world = new StorageWorld();
  node = await world.node();
});

/** A database of 100 pages with a generation and commits after it. */
async function database(id: DatabaseId = parentId): Promise<StoredSample> {
  const sample = await node.create(id);
  sample.sample.write(100, new Map([[100, Buffer.alloc(4096, 1)]]));
  node.context.log.append(sample, sample.sample.commits.at(-1) as never);
  await sample.durable();
  await sample.write(random, 3, 100);
  await sample.fold();
  await sample.write(random, 3, 100);
  return sample;
}

async function changeManifest(id: DatabaseId, change: (manifest: Manifest) => Manifest): Promise<void> {
  const key = manifestName(id);
  const { body, etag } = (await world.dataStore.get(key)) as NonNullable<
    Awaited<ReturnType<typeof world.dataStore.get>>
  >;
  await world.dataStore.put(key, storedManifest.encode(change(storedManifest.decode(key, body))), { ifMatch: etag });
}

/** The segments of a database's generation. */
async function segmentsOf({ manifest }: StoredSample): Promise<readonly SegmentReference[]> {
  if (!manifest.generation) throw new Error('no generation');
  const line = lineOf(manifest);
  const generation = await readGenerationWithoutKey(world.runtime, world.dataStore, line, manifest.generation);
  return generation.segments ?? [];
}

describe('a tree of branches', () => {
  it.each(testSeeds(12))('holds what its model holds, each at every commit (seed %i)', async (seed) => {
    const choice = seededRandom(seed);
    const ids = [parentId];
    const open = new Map<DatabaseId, StoredSample>([[parentId, await node.create(parentId)]]);
    const first = new Map<DatabaseId, number>();
    for (let step = 0; step < 60; step++) {
      const id = ids[choice.below(ids.length)] as DatabaseId;
      const sample = open.get(id) as StoredSample;
      const kind = choice.below(12);
      if (kind < 6) await sample.write(choice, 1 + choice.below(4));
      else if (kind < 9) await sample.fold();
      else if (kind === 9) {
        // Another node takes over all of them.
        node = await world.node();
        for (const each of ids) open.set(each, await node.open(each));
      } else if (ids.length < 7) {
        const child = sampleId(ids.length + 1);
        const from = first.get(id) ?? 0;
        const commit = from + choice.below(sample.sample.commits.length - from + 1);
        const timeMs = sample.sample.commits[commit - 1]?.timeMs;
        const isNow = timeMs === undefined || choice.below(2) === 0;
        open.set(child, isNow ? await sample.branch(child) : await sample.branch(child, { timeMs }, commit));
        first.set(child, isNow ? sample.sample.commits.length : commit);
        ids.push(child);
      }
    }
    expect(ids.length).toBeGreaterThan(2);
    for (const [id, sample] of open) {
      await sample.assertHistory(first.get(id) ?? 0);
      const line = lineOf(sample.manifest);
      for (const pin of sample.manifest.pins ?? []) expect(databaseAt(line, pin.generation)).toBeDefined();
    }
    node = await world.node();
    for (const id of ids) await node.open(id);
  });
});

describe('a branch', () => {
  it('shares the segments of its parent, and goes its own way', async () => {
    const parent = await database();
    const child = await parent.branch(childId);
    expect(child.manifest.generation).toEqual(parent.manifest.generation);
    expect(child.manifest).toMatchObject({
      ancestors: [parentId],
      parent: { database: parentId, name: 'db-0001', commit: 7 },
      carried: { commit: 7 },
    });
    expect(parent.manifest.pins).toEqual([
      expect.objectContaining({ child: childId, attempt: child.manifest.parent?.attempt }),
    ]);
    const shared = await segmentsOf(parent);
    child.sample.write(100, new Map([[70, Buffer.alloc(4096, 9)]]));
    node.context.log.append(child, child.sample.commits.at(-1) as never);
    await child.durable();
    await parent.write(random, 2);
    await child.fold();
    expect(child.manifest.carried).toBeUndefined();
    expect(child.manifest.generation).toMatchObject({ source: 1, term: 1, number: 2 });
    const own = await segmentsOf(child);
    const kept = own.filter((segment) => shared.some((other) => other[5] === segment[5]));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.every((segment) => segment[7] === undefined)).toBe(true);
    expect(own[2]?.[7]).toBe(1);
    await (await node.open(parentId)).assertHistory();
    await (await node.open(childId)).assertHistory(7);
  });

  it('begins in the middle of a fragment, and of what is folded', async () => {
    const parent = await node.create(parentId);
    // One fragment with five commits.
    const madeAtMs = world.runtime.nowMs();
    for (let commit = 1; commit <= 5; commit++) {
      const made = parent.sample.write(3, new Map([[1 + (commit % 3), Buffer.alloc(4096, commit)]]));
      node.context.log.append(parent, { ...made, timeMs: world.runtime.nowMs() + commit });
    }
    await parent.durable();
    expect(node.context.unfolded.of(parentId, parent.term).fragments).toHaveLength(1);
    const child = await parent.branch(childId, { timeMs: madeAtMs + 3 }, 3);
    await parent.fold();
    const other = await parent.branch(grandchildId, { timeMs: madeAtMs + 3 }, 3);
    for (const branch of [child, other]) {
      await branch.write(random, 2);
      await branch.fold();
      await branch.assertHistory(3);
      await expect(branch.imageAt({ commit: 2 })).rejects.toEqual(fault('RESTORE_POINT_NOT_FOUND', 'since commit 3'));
    }
  });

  it('is found again when it is asked for again, and its name and id are its own', async () => {
    const parent = await database();
    await parent.branchWithoutOpening(childId);
    await parent.branchWithoutOpening(childId);
    expect((await node.manifest(parentId)).pins).toHaveLength(1);
    await node.create(grandchildId);
    const taken = { ...newDatabase(sampleId(4)), name: 'db-0003' };
    const { branchDatabase } = await import('../../src/database/branch-database.js');
    const branch = async (child: ReturnType<typeof newDatabase>) =>
      world.runtime.run(branchDatabase(node.context, parent.owned, child));
    await expect(branch(taken)).rejects.toEqual(fault('DATABASE_EXISTS', 'db-0003'));
    await expect(branch({ ...newDatabase(childId), name: 'other' })).rejects.toEqual(fault('DATABASE_EXISTS'));
    await node.delete(childId);
    await expect(branch(newDatabase(childId))).rejects.toEqual(fault('DATABASE_EXISTS', 'used before'));
    for (const change of [
      { organization: 'other' },
      { group: { id: 'g2', name: 'g' } },
      { engine: 'tursodb' as const },
    ]) {
      await expect(branch({ ...newDatabase(sampleId(5)), ...change })).rejects.toEqual(fault('BRANCH_REFUSED'));
    }
    await expect(branchDatabase(node.context, parent.owned, newDatabase(sampleId(6)), { timeMs: 1 })).rejects.toEqual(
      fault('RESTORE_POINT_NOT_FOUND'),
    );
  });

  it('lives on when its parent is deleted, and branches of it, too', async () => {
    const parent = await database();
    const child = await parent.branch(childId);
    await node.delete(parentId);
    await child.write(random, 1);
    await child.branch(grandchildId);
    await node.delete(childId);
    node = await world.node();
    const grandchild = await node.open(grandchildId);
    await grandchild.write(random, 1);
    await grandchild.fold();
    await grandchild.assertHistory(grandchild.manifest.parent?.commit);
  });

  it('opens what it shares with its own copies of the keys only', async () => {
    const parent = await database();
    const child = await parent.branch(childId);
    const { keys } = child.manifest;
    expect(keys.map(({ opens, context }) => [opens, context.database])).toEqual([
      [undefined, childId],
      [parentId, childId],
    ]);
    // The parent's own wrapped key does not open in the child's manifest.
    const [own] = parent.manifest.keys;
    if (!own) throw new Error('no key');
    await changeManifest(childId, (manifest) => ({
      ...manifest,
      keys: [keys[0] as never, { ...own, opens: parentId }],
    }));
    await expect(node.open(childId)).rejects.toEqual(fault('KEY_WRONG'));
    // Without a copy nothing of the parent opens, nor under the child's key.
    for (const ring of [[keys[0]], [keys[0], { ...keys[0], opens: parentId }]]) {
      await changeManifest(childId, (manifest) => ({ ...manifest, keys: ring as Manifest['keys'] }));
      await expect(node.open(childId)).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
    }
    await changeManifest(childId, (manifest) => ({ ...manifest, keys }));
    await node.open(childId);
    // Another database in the line is not the one that the objects belong to.
    await database(grandchildId);
    await changeManifest(childId, (manifest) => ({ ...manifest, ancestors: [grandchildId] }));
    await expect(node.open(childId)).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
  });

  it('is made from what was folded under the work', async () => {
    const parent = await database();
    let calls = 0;
    const manifests = node.context.manifests;
    const replace = manifests.replace.bind(manifests);
    // The first attempt to pin meets a manifest that a fold has changed.
    manifests.replace = async (base, next) => {
      if (calls++ === 0) {
        await parent.fold();
        await parent.write(random, 1);
      }
      return replace(base, next);
    };
    const owned = parent.owned;
    await parent.branchWithoutOpening(childId);
    expect(owned.owned.manifest.generation?.number).toBe(1);
    world.samples.set(childId, parent.sample.fork(parent.sample.commits.length));
    const child = await node.open(childId);
    expect(child.manifest.generation?.number).toBe(2);
  });
});

describe('a crash while a branch is made', () => {
  it('at any call to the store leaves the parent whole, and the branch can be asked for again', async () => {
    for (let call = 1, isOver = false; !isOver; call++) {
      world = new StorageWorld();
      node = await world.node();
      const choice = seededRandom(call);
      const parent = await node.create(parentId);
      await parent.write(choice, 3);
      await parent.fold();
      await parent.write(choice, 2);
      for (const side of ['before', 'after'] as const) {
        const at = parent.sample.commits.length;
        const crash = new Crash({ call, side });
        const dying = await world.node((store) => new CrashingStore(world.runtime, store, crash));
        const script = async (): Promise<void> => (await dying.open(parentId)).branchWithoutOpening(childId);
        await Promise.race([script(), crash.happened]);
        isOver ||= crash.calls < call;
        node = await world.node();
        const again = await node.open(parentId);
        await again.write(choice, 1);
        if (side === 'after') await again.fold();
        await again.assertHistory();
        const made = await node.context.manifests.read(childId);
        const pinned = (again.manifest.pins ?? []).map((pin) => pin.attempt);
        if (made) expect(pinned).toContain(made.manifest.parent?.attempt);
        world.samples.set(childId, again.sample.fork(made ? at : again.sample.commits.length));
        if (!made) await again.branchWithoutOpening(childId);
        const child = await node.open(childId);
        await child.assertHistory(child.manifest.parent?.commit);
        if (made) break;
        // A fresh child for the other side.
        world.dataStore.objects.delete(manifestName(childId));
      }
    }
  });
});
