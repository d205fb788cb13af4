import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from './local-object-store.js';
import { StoreUnavailableError, type StoredObject } from './object-store.js';
import { PrefetchedObjects } from './prefetched-objects.js';

let store: LocalObjectStore;
let reads: string[];
let failures: number;
let objects: PrefetchedObjects;

beforeEach(async () => {
  store = await temporaryStore();
  reads = [];
  failures = 0;
  const counted = Object.assign(Object.create(store) as LocalObjectStore, {
    get: async (key: string): Promise<StoredObject | undefined> => {
      reads.push(key);
      if (failures-- > 0) throw new StoreUnavailableError('away');
      return store.get(key);
    },
  });
  objects = new PrefetchedObjects(counted, 2);
  for (const key of ['a', 'b', 'c']) await store.put(key, Buffer.from(key), { ifAbsent: true });
});
afterEach(removeTemporaryDirectories);

const text = async (key: string): Promise<string | undefined> => (await objects.get(key))?.body.toString();

describe('prefetched objects', () => {
  it('are read once, when it was begun', async () => {
    objects.prefetch('a');
    objects.prefetch('a');
    expect(reads).toEqual(['a']);
    expect(await text('a')).toBe('a');
    expect(reads).toEqual(['a']);
    expect(await text('a')).toBe('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('are read again when the first reading failed or found nothing', async () => {
    failures = 1;
    objects.prefetch('a');
    expect(await text('a')).toBe('a');
    objects.prefetch('later');
    await new Promise((resolve) => setTimeout(resolve, 20));
    await store.put('later', Buffer.from('now'), { ifAbsent: true });
    expect(await text('later')).toBe('now');
  });

  it('are forgotten beyond a bound, the oldest first', async () => {
    for (const key of ['a', 'b', 'c']) objects.prefetch(key);
    for (const key of ['a', 'b', 'c']) expect(await text(key)).toBe(key);
    expect(reads).toEqual(['a', 'b', 'c', 'a']);
  });
});
