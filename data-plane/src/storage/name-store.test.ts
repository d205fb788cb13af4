import { bitFlips, truncations } from '../../test/damage.js';
import { databaseA, databaseB } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import type { ETag } from '../object-store/object-store.js';
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

const isDeleted = async (): Promise<boolean> => true;

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
    await names.release(shop, databaseA, isDeleted);
    expect(await names.takeCreated(shop, databaseB)).toBe(databaseB);
    await names.take(news, databaseA);
    expect(await names.takeCreated(news, databaseA)).toBe(databaseA);
    expect(await names.lookUp(news)).toEqual({ id: databaseA, isCreated: true });
  });

  it('frees a name only for the database that has it', async () => {
    await names.take(shop, databaseA);
    await names.release(shop, databaseB, isDeleted);
    await names.release(news, databaseA, isDeleted);
    expect((await names.lookUp(shop))?.id).toBe(databaseA);
    await names.release(shop, databaseA, isDeleted);
    expect(await names.lookUp(shop)).toBeUndefined();
    expect((await names.take(shop, databaseB)).id).toBe(databaseB);
    await names.release(shop, databaseA, isDeleted);
    expect((await names.lookUp(shop))?.id).toBe(databaseB);
  });

  it('frees no name of a database that is there, and asks after the record was read', async () => {
    await names.take(shop, databaseA);
    expect(await names.release(shop, databaseA, async () => false)).toBe(false);
    expect((await names.lookUp(shop))?.id).toBe(databaseA);
    let asked = 0;
    const isGoneAtFirst = async (): Promise<boolean> => {
      // It is brought back after it was found deleted.
      if (++asked === 1) await names.takeBack(shop, databaseA);
      return asked === 1;
    };
    expect(await names.release(shop, databaseA, isGoneAtFirst)).toBe(false);
    expect(asked).toBe(2);
    expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: true });
    await names.release(shop, databaseA, isDeleted);
    expect(await names.takeBack(shop, databaseA)).toBe(databaseA);
    expect(await names.takeBack(shop, databaseB)).toBe(databaseA);
  });

  it('lets what was begun before a database takes its own name again come too late', async () => {
    const key = nameRecordName('acme', 'shop');
    await names.takeCreated(shop, databaseA);
    for (const take of [names.take.bind(names), names.takeBack.bind(names)]) {
      const before = await store.get(key);
      await take(shop, databaseA);
      expect(await store.put(key, Buffer.from('late'), { ifMatch: before?.etag as ETag })).toMatchObject({
        won: false,
      });
      expect(await names.lookUp(shop)).toEqual({ id: databaseA, isCreated: true });
    }
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
    await names.release(shop, databaseA, isDeleted);
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
