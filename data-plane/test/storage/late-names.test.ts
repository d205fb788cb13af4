/** Writes of name records that take effect late, or beside others: a database keeps its name, and a deleted one has none. */
import { createDatabase, findByName, takeName } from '../../src/database/database-records.js';
import type { DatabaseId } from '../../src/identity.js';
import { OutcomeUnknownError, type ObjectStore } from '../../src/object-store/object-store.js';
import { sampleId, StorageWorld, type StorageNode } from './storage-node.js';

const address = { organization: 'acme', database: 'contended' };
const [first, second] = [sampleId(1), sampleId(2)];
const unavailable = { code: 'STORE_UNAVAILABLE' };
const exists = { code: 'DATABASE_EXISTS' };

let world: StorageWorld;
let node: StorageNode;
/** Lets the first write of a name take effect that was given up as unknown; undefined while writes are answered. */
let late: (() => Promise<unknown>) | undefined;
let isLate: boolean;
/** Called before a write of an object whose key begins so. */
let before: { readonly prefix: string; readonly run: () => Promise<unknown> } | undefined;

beforeEach(async () => {
  world = new StorageWorld();
  late = before = undefined;
  isLate = false;
  const see = (store: ObjectStore): ObjectStore => ({
    get: async (key) => store.get(key),
    put: async (key, body, condition) => {
      if (isLate && key.startsWith('names/')) {
        late ??= async () => store.put(key, body, condition);
        throw new OutcomeUnknownError('no answer');
      }
      if (before && key.startsWith(before.prefix)) {
        const { run } = before;
        before = undefined;
        await run();
      }
      return store.put(key, body, condition);
    },
    getRange: async (key, start, length) => store.getRange(key, start, length),
    delete: async (key) => store.delete(key),
    list: async (prefix, options) => store.list(prefix, options),
  });
  node = await world.node((store) => (store === world.dataStore ? see(store) : store));
});

const create = async (id: DatabaseId) =>
  world.runtime.run(createDatabase(node.context, node.newDatabase(id, address.database)));
const named = async () => (await findByName(node.context, address))?.id;
const isDeleted = async (id: DatabaseId) => (await node.manifest(id)).deletedAtMs !== undefined;

/** Calls, and has its writes of names not answered. */
async function cutOff(call: () => Promise<unknown>): Promise<void> {
  isLate = true;
  await expect(call()).rejects.toMatchObject(unavailable);
  isLate = false;
}

describe('a database that is brought back keeps its name', () => {
  beforeEach(async () => create(first));

  it('when the deletion takes it away too late', async () => {
    await cutOff(async () => node.delete(first));
    await node.undelete(first);
    await late?.();
    expect(await named()).toBe(first);
  });

  it('when the deletion goes on beside it, before and after', async () => {
    before = { prefix: 'names/', run: async () => node.undelete(first) };
    await node.delete(first);
    expect(await isDeleted(first)).toBe(false);
    expect(await named()).toBe(first);
    await node.delete(first);
    expect(await named()).toBeUndefined();
    before = { prefix: 'manifests/', run: async () => node.delete(first) };
    await node.undelete(first);
    expect(await named()).toBe(first);
  });

  it('or is deleted again, when another one was faster', async () => {
    await node.delete(first);
    before = { prefix: 'manifests/', run: async () => create(second) };
    await expect(world.runtime.run(node.undelete(first))).rejects.toMatchObject(exists);
    expect(await isDeleted(first)).toBe(true);
    expect(await named()).toBe(second);
    await expect(node.undelete(first)).rejects.toMatchObject(exists);
    await node.undelete(first, 'another-name');
    expect(await named()).toBe(second);
  });
});

describe('the name of a deleted database', () => {
  it('that was given too late is free for the next creation', async () => {
    await cutOff(async () => create(first));
    await node.delete(first);
    await late?.();
    expect(await named()).toBeUndefined();
    await create(second);
    expect(await named()).toBe(second);
  });

  it('that is given while another creation looks is free for that one', async () => {
    await cutOff(async () => create(first));
    await node.delete(first);
    before = { prefix: 'names/', run: async () => late?.() };
    await create(second);
    expect(await named()).toBe(second);
  });

  it('is free for whoever takes it first and creates then', async () => {
    await create(first);
    await cutOff(async () => node.delete(first));
    const { id } = await takeName(node.context, { id: second, name: address.database, organization: 'acme' });
    expect(id).toBe(second);
    await node.delete(first);
    expect(await node.context.names.lookUp(address)).toEqual({ id: second, isCreated: false });
    // Of this one there is no manifest yet: it may still be created.
    await expect(create(sampleId(3))).rejects.toMatchObject(exists);
  });
});
