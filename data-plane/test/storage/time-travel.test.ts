/** Every commit of a history can be gone back to, whatever was folded between and since. */
import type { NodeEpoch } from '../../src/identity.js';
import { readGeneration, type Generation } from '../../src/storage/generation.js';
import { findPlace } from '../../src/storage/history.js';
import type { GenerationReference } from '../../src/storage/manifest.js';
import { archiveName, generationName } from '../../src/storage/object-names.js';
import { bitFlips } from '../damage.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { removeTemporaryDirectories } from '../temporary-store.js';
import { databaseA, pageOf } from './sample-database.js';
import { SampleStorage } from './sample-storage.js';

const fault = (code: string, named = ''): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(named) });

afterEach(removeTemporaryDirectories);

/** A history of random commits, some growing, some shrinking, by several owners, with many folds. */
async function randomHistory(seed: number): Promise<SampleStorage> {
  const random = seededRandom(seed);
  const storage = await SampleStorage.create();
  const maxPages = [3, 40, 120][seed % 3] ?? 40;
  let owners = 0;
  for (let step = 0; step < 40; step++) {
    const kind = random.below(10);
    if (kind < 6) {
      for (let left = 1 + random.below(3); left > 0; left--) storage.sample.writeRandomly(random, maxPages);
      await storage.log();
    } else if (kind === 6) {
      storage.changeOwner((owners++).toString(16).padStart(32, '0') as NodeEpoch);
    } else {
      const tail = await storage.tail();
      if (tail.length > 0) await storage.fold(1 + random.below(tail.length));
    }
  }
  storage.sample.writeRandomly(random, maxPages);
  await storage.log();
  return storage;
}

/** Twelve commits, a fragment and a generation for every two of the first ten. */
async function foldedHistory(): Promise<SampleStorage> {
  const storage = await SampleStorage.create();
  for (let commit = 1; commit <= 12; commit++) {
    storage.sample.write(40, new Map([[commit * 3, pageOf(`commit ${commit}`)]]));
    if (commit % 2 === 1) continue;
    await storage.log();
    if (commit <= 10) await storage.fold();
  }
  return storage;
}

describe('going back in time', () => {
  it.each(testSeeds(8))('gives every commit of any history byte for byte (seed %i)', async (seed) => {
    const storage = await randomHistory(seed);
    const { commits, images } = storage.sample;
    for (let commit = 0; commit <= commits.length; commit++) {
      expect((await storage.restoreAt({ commit })).equals(images[commit] as Buffer)).toBe(true);
      // Commits are 1 ms apart: half way to the next one nothing has changed.
      const timeMs = (commits[commit - 1]?.timeMs ?? 1_000) + (commit % 2 === 0 ? 0 : 0.5);
      expect((await storage.restoreAt({ timeMs })).equals(images[commit] as Buffer)).toBe(true);
    }
  });

  it('needs no log for what is folded', async () => {
    const storage = await foldedHistory();
    storage.ranges = [];
    for (let commit = 0; commit <= 10; commit++) {
      expect((await storage.restoreAt({ commit })).equals(storage.sample.images[commit] as Buffer)).toBe(true);
    }
    await expect(storage.restoreAt({ commit: 11 })).rejects.toEqual(
      fault('RESTORE_POINT_NOT_FOUND', 'its last one is 10'),
    );
  });

  it('refuses a moment before what is kept, and a commit that there is not yet', async () => {
    const storage = await foldedHistory();
    const generation = storage.generation?.generation as Generation;
    const horizon = generation.earlier[0] as GenerationReference;
    expect(horizon).toMatchObject({ number: 4, commit: 8, commitTimeMs: 1_008 });
    await storage.restoreAt({ commit: 8 }, { horizon });
    await storage.restoreAt({ timeMs: 1_008 }, { horizon });
    for (const moment of [{ commit: 7 }, { timeMs: 1_007 }]) {
      await expect(storage.restoreAt(moment, { horizon })).rejects.toEqual(
        fault('RESTORE_POINT_NOT_FOUND', 'since commit 8, 1970-01-01T00:00:01.008Z'),
      );
    }
    await expect(storage.restoreAt({ timeMs: 999 })).rejects.toEqual(
      fault('RESTORE_POINT_NOT_FOUND', 'since commit 0'),
    );
    await expect(storage.restoreAt({ commit: 13 })).rejects.toEqual(fault('RESTORE_POINT_NOT_FOUND', 'no commit 13'));
  });

  it('names an archive that is missing, cut off or altered', async () => {
    const storage = await foldedHistory();
    const key = archiveName(databaseA, 1, 3);
    const whole = (await storage.dataStore.get(key))?.body as Buffer;
    const put = async (bytes: Buffer): Promise<void> => {
      await storage.dataStore.delete(key);
      await storage.dataStore.put(key, bytes, { ifAbsent: true });
    };
    await storage.dataStore.delete(key);
    await expect(storage.restoreAt({ commit: 5 })).rejects.toEqual(fault('STORE_OBJECT_MISSING', key));
    for (const length of [0, 20, 60, whole.length - 1]) {
      await put(whole.subarray(0, length));
      await expect(storage.restoreAt({ commit: 5 })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
    }
    const indexLength = whole.readUInt32LE(12 + 24 + 32);
    for (const altered of bitFlips(whole, 401)) {
      // The page index is no part of going back.
      const at = altered.findIndex((byte, index) => byte !== whole[index]);
      if (at >= 12 + 24 + 32 && at < 12 + 24 + 32 + 4 + indexLength) continue;
      await put(altered);
      await expect(storage.restoreAt({ commit: 5 })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
    }
    await put((await storage.dataStore.get(archiveName(databaseA, 1, 2)))?.body as Buffer);
    await expect(storage.restoreAt({ commit: 5 })).rejects.toEqual(fault('RESTORE_POINT_NOT_FOUND'));
  });
});

describe('the history', () => {
  it('is found in few reads, however long it is', async () => {
    const storage = await SampleStorage.create();
    const generations = 150;
    for (let commit = 1; commit <= generations; commit++) {
      storage.sample.write(1, new Map([[1, pageOf(`commit ${commit}`)]]));
      await storage.log();
      await storage.fold();
      storage.ranges = [];
    }
    const latest = storage.generation as NonNullable<SampleStorage['generation']>;
    expect(latest.generation.height).toBe(generations - 1);
    expect(latest.generation.earlier.length).toBeLessThanOrEqual(5);
    const read = async (reference: GenerationReference): Promise<Generation> =>
      readGeneration(storage.runtime, storage.dataStore, storage.sealer, reference);
    let most = 0;
    for (let commit = 0; commit < generations; commit++) {
      let reads = 0;
      const { base, next } = await findPlace(
        latest.reference,
        (reference) => reference.commit > commit,
        async (reference) => {
          reads += 1;
          return read(reference);
        },
      );
      expect(base?.commit ?? 0).toBe(commit);
      expect(next?.reference.commit).toBe(commit + 1);
      most = Math.max(most, reads);
    }
    expect(most).toBeLessThanOrEqual(13);
  });

  it('reads nothing older than what it looks for', async () => {
    const storage = await foldedHistory();
    for (let number = 1; number <= 3; number++) await storage.dataStore.delete(generationName(databaseA, 1, number));
    const { commits, images } = storage.sample;
    for (let commit = 8; commit <= commits.length; commit++) {
      expect((await storage.restoreAt({ commit })).equals(images[commit] as Buffer)).toBe(true);
    }
  });
});
