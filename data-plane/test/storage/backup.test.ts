/** Backups: what a restored deployment holds, whatever goes on, fails or ends meanwhile. */
import { listBackups } from '../../src/backup/backup-record.js';
import { pruneBackups } from '../../src/backup/prune-backups.js';
import { restoreBackup, type RestoreInput } from '../../src/backup/restore-backup.js';
import { takeBackup, type BackupSummary, type TakeBackupInput } from '../../src/backup/take-backup.js';
import { verifyBackup } from '../../src/backup/verify-backup.js';
import type { DatabaseId } from '../../src/identity.js';
import type { ListPage, ObjectStore } from '../../src/object-store/object-store.js';
import { deploymentId, deploymentOf, recordedDeployment } from '../../src/storage/deployment.js';
import { beginFormatLevel } from '../../src/storage/format-level-record.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { manifestName } from '../../src/storage/object-names.js';
import { MemoryStore } from '../memory-store.js';
import { seededRandom, testSeeds, type SeededRandom } from '../seeded-random.js';
import { Crash, CrashingStore } from './crashing-store.js';
import { deployment } from './sample-database.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

let world: StorageWorld;
let node: StorageNode;
let backups: MemoryStore;
let control: MemoryStore;
let faults: string[];

async function newWorld(): Promise<StorageWorld> {
  const made = new StorageWorld();
  await deploymentId(made.runtime, made.logStore, { id: deployment });
  await deploymentId(made.runtime, made.dataStore, { id: deployment });
  await beginFormatLevel(made.runtime, made.dataStore);
  return made;
}

beforeEach(async () => {
  world = await newWorld();
  node = await world.node();
  backups = new MemoryStore();
  control = new MemoryStore();
  await control.put('verification-keys', Buffer.from('keys'), { ifAbsent: true });
  faults = [];
});

interface Stores {
  readonly data?: ObjectStore;
  readonly log?: ObjectStore;
  readonly to?: ObjectStore;
  readonly isFull?: boolean;
}

function taking({
  data = world.dataStore,
  log = world.logStore,
  to = backups,
  isFull = false,
}: Stores = {}): Promise<BackupSummary> {
  const { runtime } = world;
  const input: TakeBackupInput = {
    runtime,
    dataStore: data,
    logStore: new SingleLogStore(runtime, log),
    controlStore: control,
    destination: to,
    isFull,
    progress: () => undefined,
    report: (id, fault) => faults.push(`${id}: ${fault}`),
  };
  return takeBackup(input);
}

async function take(stores: Stores = {}): Promise<BackupSummary> {
  return world.runtime.run(taking(stores));
}

/** Restores a backup into stores of its own. */
async function restore(backup: string, change: Partial<RestoreInput> = {}): Promise<StorageWorld> {
  const restored = new StorageWorld(world);
  const input: RestoreInput = {
    runtime: world.runtime,
    backups,
    backup,
    dataStore: restored.dataStore,
    logStores: [restored.logStore],
    controlStore: new MemoryStore(),
    progress: () => undefined,
    report: (id, fault) => faults.push(`${id}: ${fault}`),
    ...change,
  };
  await world.runtime.run(restoreBackup(input));
  return restored;
}

/** Throws unless the restored deployment holds what the model says, each commit of it, and goes on from there. */
async function assertHolds(
  restored: StorageWorld,
  ids: Iterable<DatabaseId>,
  first: (id: DatabaseId) => number = () => 0,
): Promise<void> {
  const successor = await restored.node();
  const random = seededRandom(1);
  for (const id of ids) {
    const opened = await successor.open(id);
    await opened.assertHistory(first(id));
    await opened.write(random, 2);
    await opened.fold();
  }
}

/** What a deployment may look like: owners that live and owners that died, branches, what is folded and what is not. */
async function live(
  random: SeededRandom,
  steps: number,
): Promise<{ open: Map<DatabaseId, StoredSample>; first: Map<DatabaseId, number> }> {
  const open = new Map<DatabaseId, StoredSample>();
  const first = new Map<DatabaseId, number>();
  let present = node;
  for (let step = 0; step < steps; step++) {
    const ids = [...open.keys()];
    const id = ids[random.below(ids.length)];
    const sample = id && open.get(id);
    const choice = random.below(12);
    if (!sample || choice === 0) {
      const created = sampleId(step + 1);
      open.set(created, await present.create(created));
      await (open.get(created) as StoredSample).write(random, 1);
    } else if (choice <= 6) await sample.write(random, 1 + random.below(3));
    else if (choice <= 8) await sample.fold();
    else if (choice === 9) {
      const child = sampleId(step + 1);
      first.set(child, sample.sample.commits.length);
      open.set(child, await sample.branch(child));
    } else if (choice === 10) await sample.collect();
    else {
      // Another node takes everything over from one that died.
      present = await world.node();
      for (const taken of open.keys()) open.set(taken, await present.open(taken));
    }
  }
  return { open, first };
}

it.each(testSeeds(8))('a restored deployment holds every commit (seed %i)', async (seed) => {
  const { open, first } = await live(seededRandom(seed), 40);
  const { id, databases } = await take();
  expect(databases).toBe(open.size);
  expect(await world.runtime.run(verifyBackup(world.runtime, backups, id, () => undefined))).toMatchObject({
    damaged: 0,
  });
  const restored = await restore(id);
  await assertHolds(restored, open.keys(), (database) => first.get(database) ?? 0);
  expect(faults).toEqual([]);
});

it('holds what is needed of a database whose data key is being replaced, and its successor ends that', async () => {
  const random = seededRandom(12);
  const id = sampleId(1);
  const sample = await node.create(id);
  await sample.write(random, 4, 200);
  await sample.fold();
  await sample.rekey();
  await sample.write(random, 2);
  const before = await take();
  await sample.resealOnce();
  await sample.write(random, 1);
  const after = await take();
  await sample.reseal();
  for (const { id: backup } of [after, before]) {
    const commits = sample.sample.commits.length;
    if (backup === before.id) sample.sample.rewindTo(commits - 1);
    const restored = await restore(backup);
    const successor = await restored.node();
    const opened = await successor.open(id);
    expect(opened.manifest).toMatchObject({ currentKey: 2, retiring: [{ number: 1 }] });
    await opened.assertHistory();
    await opened.reseal();
    await assertHolds(restored, [id]);
  }
  expect(faults).toEqual([]);
});

/** A store whose calls take a while, so that others go on meanwhile. */
class SlowStore implements ObjectStore {
  constructor(
    private readonly store: ObjectStore,
    private readonly random: SeededRandom,
  ) {}
  async get(key: string): ReturnType<ObjectStore['get']> {
    return this.#slowly(async () => this.store.get(key));
  }
  async getRange(key: string, start: number, length: number): ReturnType<ObjectStore['getRange']> {
    return this.#slowly(async () => this.store.getRange(key, start, length));
  }
  async put(...call: Parameters<ObjectStore['put']>): ReturnType<ObjectStore['put']> {
    return this.#slowly(async () => this.store.put(...call));
  }
  async delete(key: string): Promise<void> {
    return this.#slowly(async () => this.store.delete(key));
  }
  async list(...call: Parameters<ObjectStore['list']>): Promise<ListPage> {
    return this.#slowly(async () => this.store.list(...call));
  }
  async #slowly<T>(call: () => Promise<T>): Promise<T> {
    await world.runtime.sleep(this.random.below(4));
    const result = await call();
    await world.runtime.sleep(this.random.below(4));
    return result;
  }
}

it.each(testSeeds(8))(
  'taken while databases are written, it has what was acknowledged before it began (seed %i)',
  async (seed) => {
    const random = seededRandom(seed);
    const { open, first } = await live(random, 25);
    const before = new Map([...open].map(([id, { sample }]) => [id, sample.commits.length]));
    const slow = (store: ObjectStore): ObjectStore => new SlowStore(store, random);
    const run = { hasEnded: false };
    const backup = taking({ data: slow(world.dataStore), log: slow(world.logStore) }).finally(() => {
      run.hasEnded = true;
    });
    // What fails is seen where it is awaited.
    backup.catch(() => undefined);
    for (let step = 0; !run.hasEnded; step++) {
      const ids = [...open.keys()];
      const id = ids[random.below(ids.length)] as DatabaseId;
      const sample = open.get(id) as StoredSample;
      const choice = random.below(10);
      if (choice <= 5) await sample.write(random, 1);
      else if (choice <= 7) await sample.fold();
      else if (choice === 8) await sample.collect();
      else {
        const present = await world.node();
        for (const taken of ids) open.set(taken, await present.open(taken));
      }
      await world.runtime.advance(5);
      if (step > 500) throw new Error('the backup does not end');
    }
    const restored = await restore((await world.runtime.run(backup)).id);
    const successor = await restored.node();
    for (const [id, atLeast] of before) {
      // The model ends where the restored database does; that has at least what was there when the backup began.
      const { commit } = await restored.runtime.run(stateOf(successor, id));
      expect(commit).toBeGreaterThanOrEqual(atLeast);
      restored.samples.set(id, world.sample(id).fork(commit));
      await (await successor.open(id)).assertHistory(first.get(id));
    }
    expect(faults).toEqual([]);
  },
);

async function stateOf(on: StorageNode, id: DatabaseId): Promise<{ commit: number }> {
  const { carried, generation } = await on.manifest(id);
  return { commit: Math.max(carried?.commit ?? 0, generation?.commit ?? 0) };
}

it('copies only what is new', async () => {
  const random = seededRandom(5);
  const { open } = await live(random, 40);
  const first = await take();
  expect(first.copiedObjects).toBeGreaterThan(0);
  expect(await take()).toMatchObject({ unchanged: open.size, copiedObjects: 0, copiedBytes: 0 });
  const [id, sample] = [...open][0] as [DatabaseId, StoredSample];
  await sample.write(random, 2);
  const third = await take();
  expect(third).toMatchObject({ unchanged: open.size - 1, copiedObjects: 0 });
  await sample.fold();
  expect(await take()).toMatchObject({ unchanged: open.size - 1 });
  await assertHolds(await restore(third.id), [id]);
});

it.each([/\/complete$/, /\/part-/])(
  'copies anew what the latest backup says when its %s is damaged',
  async (ending) => {
    const { open } = await live(seededRandom(5), 20);
    await take();
    const [key] = [...backups.objects.keys()].filter((one) => ending.test(one));
    const object = backups.objects.get(key as string);
    backups.objects.set(key as string, { etag: object!.etag, body: Buffer.from('damaged') });
    const { id, unchanged } = await take();
    // A parent that was copied once more is in another part.
    expect(unchanged).toBeLessThanOrEqual(1);
    expect(open.size).toBeGreaterThan(2);
    await assertHolds(await restore(id), open.keys(), (database) => world.sample(database).commits.length);
  },
);

it('brings back names, and databases that were deleted', async () => {
  const random = seededRandom(6);
  const [kept, deleted, sameName] = [sampleId(1), sampleId(2), sampleId(3)];
  await (await node.create(kept, 'kept')).write(random, 2);
  await (await node.create(deleted, 'reused')).write(random, 2);
  await node.delete(deleted);
  await (await node.create(sameName, 'reused')).write(random, 3);
  const restored = await restore((await take()).id);
  const successor = await restored.node();
  const lookUp = async (database: string): Promise<unknown> =>
    successor.context.names.lookUp({ organization: 'acme', database });
  expect(await lookUp('kept')).toEqual({ id: kept, isCreated: true });
  expect(await lookUp('reused')).toEqual({ id: sameName, isCreated: true });
  await successor.undelete(deleted, 'back');
  await assertHolds(restored, [kept, deleted, sameName]);
});

it('gives a name to the younger of two databases that had it while the backup was taken', async () => {
  const random = seededRandom(7);
  const [older, younger] = inOrderOfNames(sampleId(1), sampleId(2));
  await (await node.create(older, 'shared')).write(random, 2);
  await (await node.create(younger, 'other')).write(random, 2);
  const steered = new SteeredStore(world.dataStore, manifestName(younger), async () => {
    await node.delete(older);
    await node.delete(younger);
    await world.runtime.advance(1_000);
    await node.undelete(younger, 'shared');
  });
  const { id } = await take({ data: steered });
  const restored = await restore(id);
  const successor = await restored.node();
  expect((await successor.manifest(older)).deletedAtMs).toBeDefined();
  expect((await successor.manifest(younger)).deletedAtMs).toBeUndefined();
});

/** Two databases as a backup meets them. */
function inOrderOfNames(a: DatabaseId, b: DatabaseId): [DatabaseId, DatabaseId] {
  return manifestName(a) < manifestName(b) ? [a, b] : [b, a];
}

/** Lets something happen before an object is read for the first time; the object is listed before that, too. */
class SteeredStore implements ObjectStore {
  readonly getRange: ObjectStore['getRange'];
  readonly put: ObjectStore['put'];
  readonly delete: ObjectStore['delete'];
  #hasHappened = false;

  constructor(
    private readonly store: ObjectStore,
    private readonly key: string,
    private readonly happens: () => Promise<void>,
  ) {
    this.getRange = async (key, start, length) => store.getRange(key, start, length);
    this.put = async (key, body, condition) => store.put(key, body, condition);
    this.delete = async (key) => store.delete(key);
  }

  async get(key: string): ReturnType<ObjectStore['get']> {
    if (key === this.key && !this.#hasHappened) {
      this.#hasHappened = true;
      await this.happens();
    }
    return this.store.get(key);
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const { keys, ...page } = await this.store.list(prefix, options);
    const isMissing = this.key.startsWith(prefix) && !keys.includes(this.key);
    return { ...page, keys: isMissing ? [...keys, this.key].sort() : keys };
  }
}

it('keeps what a branch needs that was made after its parent was copied', async () => {
  const random = seededRandom(8);
  const [parent, child] = inOrderOfNames(sampleId(1), sampleId(2));
  const sample = await node.create(parent);
  await sample.write(random, 4);
  await sample.fold();
  const steered = new SteeredStore(world.dataStore, manifestName(child), async () => {
    await sample.write(random, 1);
    await sample.branchWithoutOpening(child);
  });
  const { id } = await take({ data: steered });
  const branchedAt = world.sample(child).commits.length;
  const restored = await restore(id);
  const successor = await restored.node((store) => store, { historyMs: 0, undeleteMs: 0 });
  expect((await successor.manifest(parent)).pins).toHaveLength(1);
  restored.samples.set(parent, world.sample(parent).fork(branchedAt - 1));
  // The parent goes, and what only it needed.
  const taken = await successor.open(parent);
  await taken.write(random, 3);
  await taken.fold();
  await successor.delete(parent);
  await restored.runtime.advance(1_000);
  await successor.collect(parent);
  await assertHolds(restored, [child], () => branchedAt);
});

it('mirrors damage, names it, and mends it when the object was copied before', async () => {
  const random = seededRandom(9);
  const [damaged, whole] = [sampleId(1), sampleId(2)];
  for (const id of [damaged, whole]) {
    const sample = await node.create(id);
    for (let round = 0; round < 2; round++) {
      await sample.write(random, 2);
      await sample.fold();
    }
  }
  const [lost] = node.objectsOf(damaged).filter((key) => key.includes('/segments-'));
  const body = (await world.dataStore.get(lost as string))?.body as Buffer;
  await world.dataStore.delete(lost as string);
  const first = await take();
  expect(first).toMatchObject({ databases: 2, damaged: 1 });
  expect(faults).toEqual([`${damaged}: object ${String(lost)} is missing`]);
  await assertHolds(await restore(first.id), [whole]);

  await world.dataStore.put(lost as string, body, { ifAbsent: true });
  await take({ isFull: true });
  await world.dataStore.delete(lost as string);
  await (await node.open(damaged)).write(random, 1).catch(() => undefined);
  faults = [];
  const mended = await take();
  expect(faults).toEqual([]);
  expect(await world.runtime.run(verifyBackup(world.runtime, backups, mended.id, () => undefined))).toMatchObject({
    damaged: 0,
  });
});

describe('a process that dies', () => {
  async function prepare(): Promise<DatabaseId[]> {
    const { open } = await live(seededRandom(11), 14);
    return [...open.keys()];
  }

  it('at any write of a backup leaves nothing that a later one is misled by', async () => {
    const ids = await prepare();
    const counting = new Crash();
    const others = backups;
    backups = new MemoryStore();
    await take({ to: new CrashingStore(world.runtime, backups, counting) });
    for (const call of counting.writes) {
      for (const side of ['before', 'after'] as const) {
        backups = new MemoryStore();
        const crash = new Crash({ call, side });
        const dying = taking({ to: new CrashingStore(world.runtime, backups, crash) });
        dying.catch(() => undefined);
        await world.runtime.run(Promise.race([crash.happened, dying]));
        const { id } = await take();
        await assertHolds(await restore(id), ids.slice(0, 2), () => world.sample(ids[0] as DatabaseId).commits.length);
      }
    }
    backups = others;
  });

  it('at any write of a restore leaves stores that no node takes for a deployment, and that the next restore completes', async () => {
    const ids = await prepare();
    const { id } = await take();
    const counting = new Crash();
    const input = (into: StorageWorld, crash: Crash): Partial<RestoreInput> => ({
      dataStore: new CrashingStore(world.runtime, into.dataStore, crash),
      logStores: [new CrashingStore(world.runtime, into.logStore, crash)],
    });
    await restore(id, input(new StorageWorld(world), counting));
    for (const call of counting.writes) {
      const into = new StorageWorld(world);
      const crash = new Crash({ call, side: 'after' });
      const dying = restore(id, input(into, crash));
      dying.catch(() => undefined);
      await world.runtime.run(Promise.race([crash.happened, dying]));
      if (await recordedDeployment(world.runtime, into.dataStore)) continue;
      await expect(deploymentOf(world.runtime, into.dataStore, into.logStore)).rejects.toMatchObject({
        code: 'STORE_MISCONFIGURED',
      });
      await restore(id, { dataStore: into.dataStore, logStores: [into.logStore] });
      await assertHolds(into, ids.slice(0, 1), () => world.sample(ids[0] as DatabaseId).commits.length);
    }
  });
});

it('deletes old backups and what only they need', async () => {
  const random = seededRandom(12);
  const collecting = await world.node((store) => store, { historyMs: 0 });
  const id = sampleId(1);
  const sample = await collecting.create(id);
  const taken: string[] = [];
  for (let round = 0; round < 4; round++) {
    await sample.write(random, 4);
    await sample.fold();
    await world.runtime.advance(1_000);
    await sample.collect();
    taken.push((await take()).id);
  }
  const before = backups.objects.size;
  const pruned = await world.runtime.run(pruneBackups(world.runtime, backups, 2));
  expect(pruned).toMatchObject({ backups: 2 });
  expect(pruned.objects).toBeGreaterThan(0);
  expect(backups.objects.size).toBeLessThan(before);
  expect([...(await listBackups(world.runtime, backups)).keys()]).toEqual(taken.slice(-2));
  for (const backup of taken.slice(-2)) {
    expect(await world.runtime.run(verifyBackup(world.runtime, backups, backup, () => undefined))).toMatchObject({
      damaged: 0,
    });
  }
  const last = world.sample(id).commits.length;
  await assertHolds(await restore(taken.at(-1) as string), [id], () => last);
  await expect(restore(taken[0] as string)).rejects.toMatchObject({ code: 'STORE_OBJECT_MISSING' });
});

it('completes a deletion that was cut off', async () => {
  const sample = await node.create(sampleId(1));
  for (let round = 0; round < 3; round++) {
    await sample.write(seededRandom(round), 2);
    await take();
  }
  const objects = new Map(backups.objects);
  const counting = new Crash();
  await world.runtime.run(pruneBackups(world.runtime, new CrashingStore(world.runtime, backups, counting), 1));
  const clean = [...backups.objects.keys()];
  for (const call of counting.writes) {
    backups = new MemoryStore();
    for (const [key, object] of objects) backups.objects.set(key, object);
    const crash = new Crash({ call, side: 'after' });
    const dying = pruneBackups(world.runtime, new CrashingStore(world.runtime, backups, crash), 1);
    dying.catch(() => undefined);
    await world.runtime.run(Promise.race([crash.happened, dying]));
    await world.runtime.run(pruneBackups(world.runtime, backups, 1));
    expect([...backups.objects.keys()].sort()).toEqual(clean.sort());
  }
});

describe('refuses', () => {
  const refusal = (message: string): unknown =>
    expect.objectContaining({ code: 'STORE_MISCONFIGURED', message: expect.stringContaining(message) });

  it('a source without a deployment', async () => {
    await expect(take({ data: new MemoryStore() })).rejects.toEqual(refusal('no deployment'));
  });

  it('a store with the backups of another deployment, and of the one it was restored from', async () => {
    await (await node.create(sampleId(1))).write(seededRandom(1), 2);
    const { id } = await take();
    const restored = await restore(id);
    await expect(take({ data: restored.dataStore, log: restored.logStore })).rejects.toEqual(
      refusal('before it was restored'),
    );
    const other = new MemoryStore();
    await deploymentId(world.runtime, other, { id: 'f'.repeat(32) });
    await expect(take({ data: other })).rejects.toEqual(refusal('another deployment'));
    expect(await take({ data: restored.dataStore, log: restored.logStore, to: new MemoryStore() })).toMatchObject({
      databases: 1,
    });
  });

  it('to restore into stores that are in use', async () => {
    await (await node.create(sampleId(1))).write(seededRandom(1), 2);
    const { id } = await take();
    await expect(restore(id, { dataStore: world.dataStore })).rejects.toEqual(refusal('holds a deployment'));
    await expect(restore(id, { logStores: [world.logStore] })).rejects.toEqual(refusal('the deployment already'));
    const used = new MemoryStore();
    await used.put('something', Buffer.from('else'), { ifAbsent: true });
    await expect(restore(id, { dataStore: used })).rejects.toEqual(refusal('the data store is in use'));
    await expect(restore(id, { logStores: [used] })).rejects.toEqual(refusal('a log store is in use'));
  });

  it('to take one while another is being taken', async () => {
    await (await node.create(sampleId(1))).write(seededRandom(1), 2);
    const slow = taking({ data: new SlowStore(world.dataStore, { ...seededRandom(1), below: () => 60_000 }) });
    await world.runtime.advance(400_000);
    await expect(take()).rejects.toMatchObject({ code: 'BACKUP_RUNNING' });
    expect(await world.runtime.run(slow)).toMatchObject({ databases: 1 });
  });
});
