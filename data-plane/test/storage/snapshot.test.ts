/** Pages read at a position of the history, and what changed between two, against a model of the database. */
import { removeTemporaryDirectories } from '../temporary-store.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { changedPages, commitTime } from '../../src/storage/changed-pages.js';
import { DatabaseSnapshot, type PageContent } from '../../src/storage/database-snapshot.js';
import { pageBytes } from '../../src/storage/fragment.js';
import { PageSet } from '../../src/storage/page-set.js';
import type { HistoryInput } from '../../src/storage/restore-point.js';
import { epochB, pageOf } from './sample-database.js';
import { SampleStorage } from './sample-storage.js';

afterEach(removeTemporaryDirectories);

function inputOf(storage: SampleStorage): HistoryInput {
  const { runtime, dataStore, logs, sealer, manifest, ranges } = storage;
  return { runtime, dataStore, logStore: logs, sealer, manifest, ranges };
}

async function read(snapshot: DatabaseSnapshot, wanted: PageSet): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  const take = (pages: readonly PageContent[]): void => {
    for (const { page, content } of pages) {
      expect(found.has(page)).toBe(false);
      expect(wanted.has(page)).toBe(true);
      found.set(page, content);
    }
  };
  for await (const pages of snapshot.changed(wanted)) take(pages);
  for await (const pages of snapshot.unchanged(wanted)) take(pages);
  return found;
}

function apply(image: Buffer, pages: ReadonlyMap<number, Uint8Array>, databasePages: number): Buffer {
  const next = Buffer.alloc(databasePages * pageBytes);
  image.copy(next);
  for (const [page, content] of pages) next.set(content, (page - 1) * pageBytes);
  return next;
}

it.each(testSeeds(3))('every pair of positions of a random history: seed %i', async (seed) => {
  const random = seededRandom(seed);
  const storage = await SampleStorage.create();
  const { sample } = storage;
  for (let round = 0; round < 9; round++) {
    for (let commits = 1 + random.below(4); commits > 0; commits--) sample.writeRandomly(random, 120);
    await storage.log();
    if (random.below(3) === 0) await storage.fold();
    if (round === 4) storage.changeOwner(epochB);
  }
  const input = inputOf(storage);
  const last = sample.commits.length;
  for (let commit = 0; commit <= last; commit++) {
    const target = commit === last ? Infinity : commit;
    const snapshot = await DatabaseSnapshot.open(input, target);
    const image = sample.images[commit] as Buffer;
    expect([snapshot.commit, snapshot.databasePages]).toEqual([commit, image.length / pageBytes]);
    expect(snapshot.commitTimeMs).toBe(commit === 0 ? 0 : 1_000 + commit);
    const all = await read(snapshot, PageSet.all(snapshot.databasePages));
    expect(apply(Buffer.alloc(0), all, snapshot.databasePages).equals(image)).toBe(true);

    const some = new PageSet(snapshot.databasePages);
    for (let count = random.below(8); count > 0; count--) some.add(1 + random.below(snapshot.databasePages));
    const found = await read(snapshot, some);
    expect([...found.keys()].sort((a, b) => a - b)).toEqual([...some]);
    for (const [page, content] of found) {
      expect(image.subarray((page - 1) * pageBytes, page * pageBytes).equals(content)).toBe(true);
    }

    const since = random.below(commit + 1);
    const later = await DatabaseSnapshot.open(input, target, { since });
    const time = since === later.changesKnownFrom ? later.changesKnownFromTimeMs : await commitTime(input, since);
    expect(time).toBe(since === 0 ? 0 : 1_000 + since);
    const point = { commit: since, commitTimeMs: time as number };
    const changed = (await changedPages(input, point, later)) as PageSet;
    const before = sample.images[since] as Buffer;
    expect(apply(before, await read(later, changed), later.databasePages).equals(image)).toBe(true);
    if (since === commit) expect([...changed]).toEqual([]);
  }
});

it('only what was written is read, whatever lies between', async () => {
  const storage = await SampleStorage.create();
  const { sample } = storage;
  sample.write(100, new Map([[1, pageOf('one')]]));
  await storage.log();
  await storage.fold();
  for (let round = 0; round < 70; round++) {
    sample.write(100, new Map([[40, pageOf(`round ${round}`)]]));
    await storage.log();
    await storage.fold();
  }
  const input = inputOf(storage);
  const since = async (commit: number): Promise<number[]> => {
    const snapshot = await DatabaseSnapshot.open(input, Infinity, { since: commit });
    return [...((await changedPages(input, { commit, commitTimeMs: 1_000 + commit }, snapshot)) ?? [])];
  };
  expect(await since(30)).toEqual([40]);
  // Further back whole segments are named.
  expect(await since(1)).toEqual(Array.from({ length: 32 }, (_, index) => 33 + index));
});

it('a commit that is not kept, or that there is not, is refused', async () => {
  const storage = await SampleStorage.create();
  for (let commit = 1; commit <= 6; commit++) {
    storage.sample.write(2, new Map([[2, pageOf(`commit ${commit}`)]]));
    await storage.log();
    if (commit % 2 === 0) await storage.fold();
  }
  const generation = storage.generation?.generation;
  const horizon = generation?.earlier[0];
  const input = { ...inputOf(storage), manifest: { ...storage.manifest, ...(horizon && { horizon }) } };
  const refused = expect.objectContaining({ code: 'RESTORE_POINT_NOT_FOUND' });
  await expect(DatabaseSnapshot.open(input, 3)).rejects.toEqual(refused);
  await expect(DatabaseSnapshot.open(input, 7)).rejects.toEqual(refused);
  const snapshot = await DatabaseSnapshot.open(input, 5);
  expect(await changedPages(input, { commit: 3, commitTimeMs: 1_003 }, snapshot)).toBeUndefined();
  expect(await commitTime(input, 3)).toBeUndefined();
  expect(await changedPages(input, { commit: 4, commitTimeMs: 1_004 }, snapshot)).toBeDefined();
});
