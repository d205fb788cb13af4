/** Creations that are cut off between their writes, or race for a name. */
import { createDatabase, findByName } from '../../src/database/database-records.js';
import type { DatabaseId } from '../../src/identity.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { sampleId, StorageWorld, type StorageNode } from './storage-node.js';

const address = { organization: 'acme', database: 'contended' };
const [first, second] = [sampleId(1), sampleId(2)];

describe('a creation', () => {
  let node: StorageNode;
  let requests: string[];
  /** Called before each request to the data store. */
  let before: (request: string) => Promise<void>;
  beforeEach(async () => {
    const world = new StorageWorld();
    const watched = async <T>(request: string, run: () => Promise<T>): Promise<T> => {
      requests.push(request);
      await before(request);
      return run();
    };
    const see = (store: ObjectStore): ObjectStore => ({
      get: async (key) => watched(`get ${key.split('/')[0]}`, async () => store.get(key)),
      put: async (key, body, condition) =>
        watched(`put ${key.split('/')[0]}`, async () => store.put(key, body, condition)),
      getRange: async (key, start, length) => store.getRange(key, start, length),
      delete: async (key) => store.delete(key),
      list: async (prefix, options) => store.list(prefix, options),
    });
    requests = [];
    before = async () => undefined;
    node = await world.node((store) => (store === world.dataStore ? see(store) : store));
  });

  const create = async (id: DatabaseId) => createDatabase(node.context, node.newDatabase(id, address.database));
  const named = async () => (await findByName(node.context, address))?.id;
  const isThere = async (id: DatabaseId) => {
    const found = await node.context.manifests.read(id);
    return found && found.manifest.deletedAtMs === undefined;
  };

  it('is a look at the name and two writes', async () => {
    await create(first);
    expect(requests).toEqual(['get names', 'put manifests', 'put names']);
    expect(await named()).toBe(first);
  });

  it.each(['put manifests', 'put names'])('that was cut off before "%s" is finished by the same call', async (step) => {
    before = async (request) => {
      if (request === step) throw new Error('cut off');
    };
    await expect(create(first)).rejects.toThrow('cut off');
    before = async () => undefined;
    expect(await named()).toBeUndefined();
    expect((await create(first)).id).toBe(first);
    expect(await named()).toBe(first);
  });

  it('whose name another one gets meanwhile leaves nothing', async () => {
    before = async (request) => {
      if (request !== 'put names') return;
      before = async () => undefined;
      await create(second);
    };
    await expect(create(first)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
    expect(await named()).toBe(second);
    expect(await isThere(first)).toBe(false);
    await expect(create(first)).rejects.toMatchObject({ code: 'DATABASE_EXISTS' });
  });

  it('of a name that was used before takes it', async () => {
    await create(first);
    await node.delete(first);
    await create(second);
    expect(await named()).toBe(second);
  });

  it('is not made again, empty, when its manifest was lost', async () => {
    await create(first);
    for (const key of node.world.dataStore.objects.keys()) {
      if (key.startsWith('manifests/')) node.world.dataStore.objects.delete(key);
    }
    await expect(create(first)).rejects.toMatchObject({ code: 'STORE_OBJECT_MISSING' });
    expect(await isThere(first)).toBeUndefined();
  });
});
