/** A database is restored to exactly its last acknowledged state or not at all, with an error that names the object. */
import { encodeGeneration, encodeSegmentList, sha256, type Generation } from '../../src/storage/generation.js';
import type { FragmentLocation, LogRange } from '../../src/storage/log-location.js';
import {
  archiveName,
  generationName,
  logObjectName,
  segmentBundleName,
  segmentListName,
} from '../../src/storage/object-names.js';
import { bitFlips } from '../damage.js';
import { removeTemporaryDirectories } from '../temporary-store.js';
import { databaseA, databaseB, epochA, epochB, pageOf, sampleSealer } from './sample-database.js';
import { SampleStorage } from './sample-storage.js';

const fault = (code: string, named = ''): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(named) });

afterEach(removeTemporaryDirectories);

/** Eight commits in eight log objects of two owners, the first two folded in. */
async function storedDatabase(): Promise<SampleStorage> {
  const storage = await SampleStorage.create();
  for (let commit = 1; commit <= 8; commit++) {
    if (commit === 6) storage.changeOwner(epochB);
    storage.sample.write(70, new Map([[commit * 8, pageOf(`commit ${commit}`)]]));
    await storage.log();
    if (commit === 2) await storage.fold();
  }
  return storage;
}

/** The ranges with the list of fragments of all owners changed. */
function changed(
  ranges: readonly LogRange[],
  change: (fragments: FragmentLocation[]) => FragmentLocation[],
): LogRange[] {
  const [first, second] = ranges as [LogRange, LogRange];
  const fragments = change([...first.fragments, ...second.fragments]);
  const isFirst = (location: FragmentLocation): boolean => first.fragments.includes(location);
  return [
    { ...first, fragments: fragments.filter(isFirst) },
    { ...second, fragments: fragments.filter((location) => !isFirst(location)) },
  ];
}

async function replaceObject(storage: SampleStorage, key: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  const store = key.startsWith('log/') ? storage.logStore : storage.dataStore;
  const bytes = (await store.get(key))?.body;
  if (!bytes) throw new Error(`no object ${key}`);
  await store.delete(key);
  await store.put(key, change(bytes), { ifAbsent: true });
}

describe('restore', () => {
  let storage: SampleStorage;
  beforeEach(async () => {
    storage = await storedDatabase();
  });

  it('succeeds when everything is there, although folded log objects are gone', async () => {
    await storage.logStore.delete(logObjectName(epochA, 0));
    await storage.logStore.delete(logObjectName(epochA, 1));
    expect((await storage.restore()).image.equals(storage.sample.image)).toBe(true);
  });

  it.each([2, 3, 4])('names log object %i when it is missing or cut off', async (position) => {
    const key = logObjectName(epochA, position);
    await replaceObject(storage, key, (bytes) => bytes.subarray(0, bytes.length - 1));
    await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
    await storage.logStore.delete(key);
    await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_MISSING', key));
  });

  it.each<[string, (fragments: FragmentLocation[]) => FragmentLocation[]]>([
    ['the first is left out', (all) => all.filter((_, index) => index !== 2)],
    ['one in the middle is left out', (all) => all.filter((_, index) => index !== 4)],
    ['the first of the next owner is left out', (all) => all.filter((_, index) => index !== 5)],
    ['one comes twice', (all) => all.flatMap((location, index) => (index === 3 ? [location, location] : [location]))],
    ['two are swapped', (all) => [...all.slice(0, 3), ...all.slice(3, 5).reverse(), ...all.slice(5)]],
  ])('refuses a tail where %s', async (_what, change) => {
    const ranges = changed(storage.ranges, change);
    await expect(storage.restore({ ranges })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', 'log/'));
  });

  it('refuses owners in the wrong order and fragments under another term', async () => {
    const [first, second] = storage.ranges as [LogRange, LogRange];
    await expect(storage.restore({ ranges: [second, first] })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', 'log/'));
    const ranges = [{ ...first, term: 9 }, second];
    await expect(storage.restore({ ranges })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', 'log/'));
  });

  it('refuses a fragment with a flipped bit, wherever it is', async () => {
    const key = logObjectName(epochA, 3);
    const location = storage.ranges[0]?.fragments[3] as FragmentLocation;
    const original = (await storage.logStore.get(key))?.body as Buffer;
    const fragment = original.subarray(location[1], location[1] + location[2]);
    for (const altered of bitFlips(fragment, 401)) {
      await replaceObject(storage, key, () => Buffer.concat([original.subarray(0, location[1]), altered]));
      await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
    }
  });

  it('names a segment bundle or generation that is missing', async () => {
    for (const key of [segmentBundleName(databaseA, 1, 1, 0), generationName(databaseA, 1, 1)]) {
      const body = (await storage.dataStore.get(key))?.body as Buffer;
      await storage.dataStore.delete(key);
      await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_MISSING', key));
      await storage.dataStore.put(key, body.subarray(0, body.length - 1), { ifAbsent: true });
      await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
      await replaceObject(storage, key, () => body);
    }
    expect((await storage.restore()).image.equals(storage.sample.image)).toBe(true);
  });

  it.each([
    ['bundle', segmentBundleName(databaseA, 1, 1, 0), 40_009],
    ['generation', generationName(databaseA, 1, 1), 61],
  ])('refuses a %s with a flipped bit', async (_what, key, step) => {
    const original = (await storage.dataStore.get(key))?.body as Buffer;
    for (const altered of bitFlips(original, step)) {
      await replaceObject(storage, key, () => altered);
      await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
    }
  });

  it('does not need the archive', async () => {
    await storage.dataStore.delete(archiveName(databaseA, 1, 1));
    await storage.restore();
  });
});

describe('objects in the wrong place', () => {
  it("refuses all objects of another database under this one's names, also with the same key", async () => {
    const [own, other] = [await storedDatabase(), await SampleStorage.create(databaseB)];
    other.sample.write(70, new Map([[1, pageOf('foreign')]]));
    await other.log();
    await other.fold();
    const names: [string, string][] = [
      [generationName(databaseA, 1, 1), generationName(databaseB, 1, 1)],
      [segmentBundleName(databaseA, 1, 1, 0), segmentBundleName(databaseB, 1, 1, 0)],
      [logObjectName(epochA, 2), logObjectName(epochA, 0)],
    ];
    for (const [here, there] of names) {
      const stores = here.startsWith('log/') ? [own.logStore, other.logStore] : [own.dataStore, other.dataStore];
      const foreign = (await stores[1]?.get(there))?.body as Buffer;
      const original = (await stores[0]?.get(here))?.body as Buffer;
      await replaceObject(own, here, () => foreign);
      const reference = own.generation?.reference;
      const digest = sha256(foreign).toString('hex');
      const believing = here.endsWith('generation') && reference ? { ...reference, digest } : reference;
      for (const sealer of [own.sealer, sampleSealer(own.runtime, databaseA, databaseB.charCodeAt(0))]) {
        await expect(own.restore({ generation: believing, sealer })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
      }
      await replaceObject(own, here, () => original);
    }
    expect((await own.restore()).image.equals(own.sample.image)).toBe(true);
  });

  it('refuses an old generation under the name of the new one', async () => {
    const storage = await storedDatabase();
    const old = (await storage.dataStore.get(generationName(databaseA, 1, 1)))?.body as Buffer;
    await storage.fold();
    const { reference } = storage.generation as { reference: { term: number; number: number } };
    await replaceObject(storage, generationName(databaseA, reference.term, reference.number), () => old);
    await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', 'digest'));
    const digest = sha256(old).toString('hex');
    const believing = { ...(storage.generation as NonNullable<SampleStorage['generation']>).reference, digest };
    await expect(storage.restore({ generation: believing })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
  });

  it('refuses segments that a forged list moves, repeats, drops or takes from another generation', async () => {
    const storage = await storedDatabase();
    const before = (storage.generation as NonNullable<SampleStorage['generation']>).generation;
    const after = await storage.fold();
    const [s0, s1, s2] = after.segments as NonNullable<Generation['segments']>;
    if (!s0 || !s1 || !s2) throw new Error('three segments expected');
    const forgeries: Partial<Generation>[] = [
      { segments: [s1, s0, s2] },
      { segments: [s0, s0, s2] },
      { segments: [s0, s1] },
      { segments: [] },
      { segments: [s0, s1, s2, s2] },
      { databasePages: 69 },
      { databasePages: 200 },
    ];
    const reference = (storage.generation as NonNullable<SampleStorage['generation']>).reference;
    const key = generationName(databaseA, after.term, after.number);
    for (const forgery of forgeries) {
      // Even one that could forge the proof cannot move a segment: each is sealed to its own place.
      const bytes = encodeGeneration(storage.sealer, { ...after, ...forgery });
      await replaceObject(storage, key, () => bytes);
      const believing = { ...reference, digest: sha256(bytes).toString('hex') };
      await expect(storage.restore({ generation: believing })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
    }
    const unproved = encodeGeneration(sampleSealer(storage.runtime, databaseA, 1), {
      ...after,
      segments: before.segments ?? [],
    });
    await replaceObject(storage, key, () => unproved);
    const believing = { ...reference, digest: sha256(unproved).toString('hex') };
    await expect(storage.restore({ generation: believing })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT'));
  });

  it('refuses a generation whose content is not the one that was proved', async () => {
    const storage = await storedDatabase();
    const { generation, reference } = storage.generation as NonNullable<SampleStorage['generation']>;
    const key = generationName(databaseA, 1, 1);
    const [header, json] = String((await storage.dataStore.get(key))?.body).split('\n') as [string, string];
    const { proof } = JSON.parse(json) as { proof: string };
    const body = Buffer.from(JSON.stringify({ ...generation, commitTimeMs: 1, proof }));
    const line = `${header.split(' ')[0] ?? ''} ${sha256(body).toString('hex')}\n`;
    const forged = Buffer.concat([Buffer.from(line), body]);
    await replaceObject(storage, key, () => forged);
    const believing = { ...reference, digest: sha256(forged).toString('hex') };
    await expect(storage.restore({ generation: believing })).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
  });

  it('refuses a fragment that follows another history of the same length', async () => {
    const [one, other] = [await SampleStorage.create(), await SampleStorage.create()];
    for (const [storage, text] of [
      [one, 'one'],
      [other, 'other'],
    ] as const) {
      for (let commit = 1; commit <= 3; commit++) {
        storage.sample.write(2, new Map([[1, pageOf(`${text} ${commit}`)]]));
        await storage.log();
      }
    }
    const key = logObjectName(epochA, 1);
    const foreign = (await other.logStore.get(key))?.body as Buffer;
    await replaceObject(one, key, () => foreign);
    await expect(one.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
  });

  it('refuses a segment list that is not the one its generation names', async () => {
    const storage = await SampleStorage.create();
    storage.sample.write(8193, new Map([[1, pageOf('a')]]));
    await storage.log();
    const generation = await storage.fold();
    const key = segmentListName(databaseA, 1, 1, 1);
    const original = (await storage.dataStore.get(key))?.body as Buffer;
    const forged = [
      encodeSegmentList([]),
      (await storage.dataStore.get(segmentListName(databaseA, 1, 1, 0)))?.body as Buffer,
    ];
    for (const bytes of [...forged, original.subarray(0, 20), ...bitFlips(original, 31)]) {
      await replaceObject(storage, key, () => bytes);
      await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_CORRUPT', key));
    }
    await storage.dataStore.delete(key);
    await expect(storage.restore()).rejects.toEqual(fault('STORE_OBJECT_MISSING', key));
    expect(generation.lists).toHaveLength(2);
  });
});
