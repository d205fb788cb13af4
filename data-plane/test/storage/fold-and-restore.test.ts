import type { NodeEpoch } from '../../src/identity.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { segmentsPerList } from '../../src/storage/generation.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { removeTemporaryDirectories } from '../temporary-store.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { databaseA, pageOf } from './sample-database.js';
import { SampleStorage } from './sample-storage.js';

afterEach(removeTemporaryDirectories);

/** A store that notes the keys and sizes of what is put. */
function noting(store: ObjectStore): { store: ObjectStore; puts: Map<string, number> } {
  const puts = new Map<string, number>();
  const noted: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
    get: (key: string) => store.get(key),
    getRange: (key: string, start: number, length: number) => store.getRange(key, start, length),
    put: (...[key, body, condition]: Parameters<ObjectStore['put']>) => {
      puts.set(key.split('/').at(-1) ?? key, body.byteLength);
      return store.put(key, body, condition);
    },
  });
  return { store: noted, puts };
}

async function expectRestored(storage: SampleStorage): Promise<void> {
  const { image, restored } = await storage.restore();
  expect(image.equals(storage.sample.image)).toBe(true);
  expect(restored).toMatchObject({
    commit: storage.sample.commits.length,
    commitTimeMs: storage.sample.commits.at(-1)?.timeMs ?? 0,
    databasePages: storage.sample.databasePages,
  });
}

function pages(numbers: readonly number[], text: string): Map<number, Buffer> {
  return new Map(numbers.map((page) => [page, pageOf(`${text} ${page}`)]));
}

describe('fold and restore', () => {
  it('let everything else go on meanwhile, however much there is to do', async () => {
    const runtime = new VirtualRuntime();
    const storage = await SampleStorage.create(databaseA, runtime);
    let turns = 0;
    const turn = runtime.turn.bind(runtime);
    runtime.turn = async (kind) => {
      turns += 1;
      return turn(kind);
    };
    const megabytes = 12;
    const all = Array.from({ length: megabytes * 256 }, (_, index) => index + 1);
    storage.sample.write(all.length, pages(all, 'large'));
    await storage.log();
    // Each megabyte is at least opened and proved, put into the archive and hashed, sealed, hashed and put into a bundle.
    await runtime.run(storage.fold());
    expect(turns).toBeGreaterThan(megabytes * 4 * 4);
    turns = 0;
    storage.ranges = [];
    const { image } = await runtime.run(storage.restore());
    expect(image.equals(storage.sample.image)).toBe(true);
    // Two segments of 128 KiB in one turn at the most.
    expect(turns).toBeGreaterThanOrEqual(megabytes * 4);
  });

  it('gives an empty database where nothing was ever written', async () => {
    const storage = await SampleStorage.create();
    await expectRestored(storage);
  });

  it.each(testSeeds(30))('equals the model after any history (seed %i)', async (seed) => {
    const random = seededRandom(seed);
    const storage = await SampleStorage.create();
    const maxPages = [3, 40, 120][seed % 3] ?? 40;
    let owners = 0;
    for (let step = 0; step < 25; step++) {
      const kind = random.below(10);
      if (kind < 7) {
        for (let left = 1 + random.below(3); left > 0; left--) storage.sample.writeRandomly(random, maxPages);
        await storage.log();
      } else if (kind === 7) {
        storage.changeOwner((owners++).toString(16).padStart(32, '0') as NodeEpoch);
      } else {
        const tail = await storage.tail();
        if (tail.length > 0) await storage.fold(1 + random.below(tail.length));
      }
      if (random.below(6) === 0) await expectRestored(storage);
    }
    await expectRestored(storage);
  });

  it('gives the same bytes whether or not a fold lay between shrinking and growing', async () => {
    const images: Buffer[] = [];
    for (const foldsAfter of [[], [1], [2], [3], [1, 2, 3]]) {
      const storage = await SampleStorage.create();
      const steps: [number, number[]][] = [
        [80, Array.from({ length: 80 }, (_, index) => index + 1)],
        [5, [1]],
        [90, [1, 90]],
      ];
      for (const [index, [size, changed]] of steps.entries()) {
        storage.sample.write(size, pages(changed, `step ${index}`));
        await storage.log();
        if (foldsAfter.includes(index + 1)) await storage.fold();
      }
      await expectRestored(storage);
      images.push((await storage.restore()).image);
    }
    expect(images.every((image) => image.equals(images[0] as Buffer))).toBe(true);
  });

  it('does not bring back what was cut off when the database grows to the size it had', async () => {
    const storage = await SampleStorage.create();
    const all = Array.from({ length: 96 }, (_, index) => index + 1);
    storage.sample.write(96, pages(all, 'first'));
    await storage.log();
    await storage.fold();
    storage.sample.write(20, pages([1], 'cut off'));
    storage.sample.write(96, pages([96], 'grown'));
    await storage.log();
    await expectRestored(storage);
    await storage.fold();
    await expectRestored(storage);
  });

  it('passes over pages that a shrinking commit wrote beyond its own end', async () => {
    const storage = await SampleStorage.create();
    storage.sample.write(4, pages([1, 2, 3, 4], 'first'));
    await storage.log();
    const { commits, images } = storage.sample;
    storage.sample.write(2, pages([1], 'second'));
    const shrinking = commits[1] as (typeof commits)[number];
    const beyond = Buffer.concat([Buffer.from([4, 0, 0, 0]), pageOf('cut off')]);
    commits[1] = { ...shrinking, pages: [...shrinking.pages, beyond] };
    await storage.log();
    storage.sample.write(5, pages([5], 'third'));
    await storage.log();
    expect(images).toHaveLength(4);
    await expectRestored(storage);
    await storage.fold();
    await expectRestored(storage);
  });

  it('rewrites only the segments that changed', async () => {
    const storage = await SampleStorage.create();
    const all = Array.from({ length: 320 }, (_, index) => index + 1);
    storage.sample.write(320, pages(all, 'first'));
    await storage.log();
    await storage.fold();
    storage.sample.write(320, pages([33, 320], 'second'));
    storage.sample.write(320, pages([34], 'third'));
    await storage.log();
    const { store, puts } = noting(storage.dataStore);
    const before = storage.generation?.generation.segments ?? [];
    const after = (await storage.fold(Infinity, store)).segments ?? [];
    expect(after).toHaveLength(10);
    expect(after.flatMap((reference, index) => (reference === before[index] ? [] : [index]))).toEqual([1, 9]);
    expect([...puts.keys()].sort()).toEqual(['archive', 'generation', 'segments-000000000000']);
    const segmentsPut = puts.get('segments-000000000000') ?? 0;
    expect(segmentsPut).toBeLessThan(2 * 128 * 1024 + 200);
    await expectRestored(storage);
  });

  it('splits the list of a large database, and rewrites only the lists and segments that changed', async () => {
    const storage = await SampleStorage.create();
    const pagesPerList = segmentsPerList * 32;
    storage.sample.write(pagesPerList, pages([1, pagesPerList], 'one full list'));
    await storage.log();
    expect((await storage.fold()).segments).toHaveLength(segmentsPerList);
    await expectRestored(storage);

    storage.sample.write(2 * pagesPerList + 1, pages([1, pagesPerList + 1, 2 * pagesPerList + 1], 'three lists'));
    await storage.log();
    const grown = await storage.fold();
    expect(grown.segments).toBeUndefined();
    expect(grown.lists).toHaveLength(3);
    await expectRestored(storage);

    storage.sample.write(2 * pagesPerList + 1, pages([pagesPerList + 40], 'within the second'));
    await storage.log();
    const { store, puts } = noting(storage.dataStore);
    const next = await storage.fold(Infinity, store);
    expect(next.lists?.[0]).toBe(grown.lists?.[0]);
    expect(next.lists?.[2]).toBe(grown.lists?.[2]);
    expect([...puts.keys()].sort()).toEqual(['archive', 'generation', 'list-000000000001', 'segments-000000000000']);
    expect(puts.get('segments-000000000000')).toBeLessThan(128 * 1024 + 100);
    await expectRestored(storage);

    storage.sample.write(100, pages([1], 'small again'));
    await storage.log();
    expect((await storage.fold()).segments).toHaveLength(4);
    await expectRestored(storage);

    storage.sample.write(pagesPerList + 50, pages([1, pagesPerList + 50], 'large again'));
    await storage.log();
    await expectRestored(storage);
    expect((await storage.fold()).lists).toHaveLength(2);
    await expectRestored(storage);
  });
});
