import { bitFlips, truncations } from '../../test/damage.js';
import { databaseA, databaseB } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import { systemRuntime } from '../runtime.js';
import { NameStore } from './name-store.js';
import { nameRecordName } from './object-names.js';

const shop = { organization: 'acme', database: 'shop' };
const news = { organization: 'acme', database: 'news' };
const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });

let store: LocalObjectStore;
let names: NameStore;
beforeEach(async () => {
  store = await temporaryStore();
  names = new NameStore(systemRuntime, store);
});
afterEach(removeTemporaryDirectories);

describe('name store', () => {
  it('gives a name to the first who takes it, again and again', async () => {
    expect(await names.lookUp(shop)).toBeUndefined();
    expect((await names.take(shop, databaseA)).id).toBe(databaseA);
    expect((await names.take(shop, databaseB)).id).toBe(databaseA);
    expect((await names.take(shop, databaseA)).id).toBe(databaseA);
    expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: false });
    expect(await names.lookUp(news)).toBeUndefined();
  });

  it('gives a name to a database whose manifest is stored, which the record says from the first', async () => {
    expect(await names.takeCreated(shop, databaseA)).toBe(databaseA);
    expect(await names.takeCreated(shop, databaseA)).toBe(databaseA);
    expect(await names.takeCreated(shop, databaseB)).toBe(databaseA);
    expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: true });
    await names.release(shop, databaseA);
    expect(await names.takeCreated(shop, databaseB)).toBe(databaseB);
    await names.take(news, databaseA);
    expect(await names.takeCreated(news, databaseA)).toBe(databaseA);
    expect(await names.lookUp(news)).toEqual({ id: databaseA, isCreated: true });
  });

  it('frees a name only for the database that has it', async () => {
    await names.take(shop, databaseA);
    await names.release(shop, databaseB);
    await names.release(news, databaseA);
    expect((await names.lookUp(shop))?.id).toBe(databaseA);
    await names.release(shop, databaseA);
    expect(await names.lookUp(shop)).toBeUndefined();
    expect((await names.take(shop, databaseB)).id).toBe(databaseB);
    await names.release(shop, databaseA);
    expect((await names.lookUp(shop))?.id).toBe(databaseB);
  });

  it('gives a name to one of many who take it at once', async () => {
    const takers = [databaseA, databaseB, databaseA, databaseB];
    const holders = await Promise.all(takers.map(async (id) => (await names.take(shop, id)).id));
    expect(new Set(holders)).toEqual(new Set([(await names.lookUp(shop))?.id]));
  });

  it('tells a database that was created from one that only has its name', async () => {
    await names.take(shop, databaseA);
    await names.confirm(shop, databaseB);
    await names.confirm(news, databaseA);
    expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: false });
    await names.confirm(shop, databaseA);
    await names.confirm(shop, databaseA);
    expect(await names.take(shop, databaseA)).toEqual({ id: databaseA, isCreated: true });
    expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: true });
    await names.release(shop, databaseA);
    await names.take(shop, databaseB);
    expect(await names.lookUp(shop)).toEqual({ id: databaseB, isCreated: false });
  });

  it('refuses a damaged record and the record of another name', async () => {
    await names.take(news, databaseB);
    const record = (await store.get(nameRecordName('acme', 'news')))?.body as Buffer;
    const key = nameRecordName('acme', 'shop');
    for (const altered of [record, ...truncations(record), ...bitFlips(record, 29)]) {
      await store.put(key, altered, { ifAbsent: true });
      await expect(names.lookUp(shop)).rejects.toEqual(damaged);
      await store.delete(key);
    }
  });
});
