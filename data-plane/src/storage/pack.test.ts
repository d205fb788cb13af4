import { bitFlips } from '../../test/damage.js';
import { databaseA, databaseB, epochA } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import { atOnce } from '../turns.js';
import { decodeIndex, encodeLogObject, type IndexedFragment } from './log-object.js';
import { packName } from './object-names.js';
import { encodePack, fragmentsOfRun, readPackIndex, type PackRun } from './pack.js';

const corrupt = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });
const key = packName(epochA, 1);
const runs: PackRun[] = [
  {
    database: databaseA,
    term: 3,
    firstCommit: 1,
    lastCommit: 5,
    fragments: ['one', '', 'three'].map((text) => Buffer.from(text)),
  },
  { database: databaseB, term: 1, firstCommit: 9, lastCommit: 9, fragments: [Buffer.alloc(70_000, 7)] },
];

afterEach(removeTemporaryDirectories);

async function indexOf(store: ObjectStore): Promise<IndexedFragment[]> {
  const index = await readPackIndex(systemRuntime, store, key);
  return Array.from({ length: index.size }, (_, entry) => index.fragment(entry));
}

describe('a pack', () => {
  it('gives back every fragment of every run, where its index says', async () => {
    const store = await temporaryStore();
    const { bytes, index } = atOnce(encodePack(runs));
    await store.put(key, bytes, { ifAbsent: true });
    expect(await indexOf(store)).toEqual(index);
    expect(
      index.map(({ database, term, firstCommit, lastCommit }) => [database, term, firstCommit, lastCommit]),
    ).toEqual([
      [databaseA, 3, 1, 5],
      [databaseB, 1, 9, 9],
    ]);
    for (const [at, { offset, length }] of index.entries()) {
      expect(fragmentsOfRun(key, bytes.subarray(offset, offset + length))).toEqual(runs[at]?.fragments);
    }
  });

  it('has an index of any size', async () => {
    const store = await temporaryStore();
    const many = Array.from({ length: 8_000 }, (_, number) => ({ ...(runs[0] as PackRun), term: number }));
    const { bytes, index } = atOnce(encodePack(many));
    await store.put(key, bytes, { ifAbsent: true });
    expect(await indexOf(store)).toEqual(index);
  });

  it('is never taken for a log object, nor a log object for it', async () => {
    expect(() => decodeIndex(key, atOnce(encodePack(runs)).bytes)).toThrow(corrupt);
    const store = await temporaryStore();
    await store.put(key, encodeLogObject([]).bytes, { ifAbsent: true });
    await expect(readPackIndex(systemRuntime, store, key)).rejects.toEqual(corrupt);
  });

  it('is refused when its index is damaged or cut off, and named when it is missing', async () => {
    const store = await temporaryStore();
    await expect(readPackIndex(systemRuntime, store, key)).rejects.toEqual(
      expect.objectContaining({ code: 'STORE_OBJECT_MISSING', message: expect.stringContaining(key) }),
    );
    const { bytes, index } = atOnce(encodePack(runs));
    const head = bytes.subarray(0, index[0]?.offset);
    for (const altered of [...bitFlips(head, 13), head.subarray(0, 11), head.subarray(0, 40)]) {
      await store.put(key, altered, { ifAbsent: true });
      await expect(readPackIndex(systemRuntime, store, key)).rejects.toEqual(corrupt);
      await store.delete(key);
    }
  });

  it('has no run that ends inside a fragment', () => {
    const { bytes, index } = atOnce(encodePack(runs));
    const { offset = 0, length = 0 } = index[0] ?? {};
    const run = bytes.subarray(offset, offset + length);
    for (const end of [1, 3, 5, length - 1]) expect(() => fragmentsOfRun(key, run.subarray(0, end))).toThrow(corrupt);
  });
});
