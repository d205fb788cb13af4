/** Stored databases whose clients hold the key: what can be done without it, and what must not be. */
import type { DatabaseId } from '../../src/identity.js';
import { admittedKey } from '../../src/database/client-key-admission.js';
import { own } from '../../src/database/ready-database.js';
import { storedManifest, type Manifest } from '../../src/storage/manifest.js';
import { manifestName } from '../../src/storage/object-names.js';
import { seededRandom } from '../seeded-random.js';
import { Crash, CrashingStore } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode, type StoredSample } from './storage-node.js';

const [parentId, childId, otherId] = [sampleId(1), sampleId(2), sampleId(3)];
const random = seededRandom(11);
const key = Buffer.alloc(32, 5).toString('base64');
const otherKey = Buffer.alloc(32, 6).toString('base64');
const fault = (code: string): unknown => expect.objectContaining({ code });

let world: StorageWorld;
let node: StorageNode;
beforeEach(async () => {
  world = new StorageWorld();
  for (const id of [parentId, otherId]) world.clientKeys.set(id, { key, cipher: 'aegis256' });
  world.clientKeys.set(childId, { key });
  node = await world.node();
});

/** A database with a generation and commits after it. */
async function database(id: DatabaseId = parentId): Promise<StoredSample> {
  const sample = await node.create(id);
  await sample.write(random, 4);
  await sample.fold();
  await sample.write(random, 3);
  return sample;
}

async function changeManifest(id: DatabaseId, change: (manifest: Manifest) => Manifest): Promise<void> {
  const name = manifestName(id);
  const found = await world.dataStore.get(name);
  if (!found) throw new Error(`no manifest of ${id}`);
  const changed = storedManifest.encode(change(storedManifest.decode(name, found.body)));
  await world.dataStore.put(name, changed, { ifMatch: found.etag });
}

describe('without the key', () => {
  it('nobody claims the database, and a wrong key changes nothing in the store', async () => {
    await database();
    const before = await node.manifest(parentId);
    const heir = await world.node();
    for (const presented of [undefined, { key: otherKey }, { key: 'no*base64' }, { key, cipher: 'aes256gcm' }]) {
      await expect(own(heir.context, parentId, { presented })).rejects.toMatchObject({
        code: expect.stringMatching(/^ENCRYPTION_/) as string,
      });
    }
    expect(await node.manifest(parentId)).toEqual(before);
    expect((await heir.open(parentId)).manifest.owner).toBe(heir.epoch);
  });

  it('it is made independent of every log: what is not folded moves as it is sealed', async () => {
    const sample = await database();
    const heir = await world.node();
    await heir.settle(parentId);
    const settled = await heir.manifest(parentId);
    expect(settled).toMatchObject({ tail: [], carried: { commit: sample.sample.commits.length } });
    expect(settled.owner).toBeUndefined();
    // And once more, with nothing to move.
    await heir.settle(parentId);
    expect((await heir.manifest(parentId)).carried).toEqual(settled.carried);
    for (const name of [...world.logStore.objects.keys()]) world.logStore.objects.delete(name);
    const opened = await (await world.node()).open(parentId);
    await opened.write(random, 2);
    await opened.fold();
    expect(opened.manifest.carried).toBeUndefined();
    await opened.assertHistory();
  });

  it.each(['before', 'after'] as const)('it is whole wherever that is cut off, %s a call to a store', async (side) => {
    const { sample } = await database();
    const commits = sample.commits.length;
    const stores = [world.dataStore, world.logStore].map(({ objects }) => ({ objects, before: new Map(objects) }));
    for (let call = 1, isDone = false; !isDone; call++) {
      for (const { objects, before } of stores) {
        objects.clear();
        for (const [name, object] of before) objects.set(name, object);
      }
      sample.rewindTo(commits);
      const crash = new Crash({ call, side });
      const dying = await world.node((store) => new CrashingStore(world.runtime, store, crash));
      await Promise.race([dying.settle(parentId), crash.happened]);
      isDone = crash.calls < call;
      const opened = await (await world.node()).open(parentId);
      await opened.write(random, 1);
      await opened.assertHistory();
      if (isDone) expect(call).toBeGreaterThan(5);
    }
  });

  it('it is collected, deleted and brought back', async () => {
    const sample = await database();
    const heir = await world.node();
    await heir.collect(parentId);
    await heir.delete(parentId);
    await heir.undelete(parentId);
    const again = await heir.open(parentId);
    expect(again.sample.commits).toHaveLength(sample.sample.commits.length);
    await heir.delete(parentId);
    await world.runtime.advance(8 * 86_400_000);
    await heir.collect(parentId);
    expect(await heir.manifest(parentId)).toMatchObject({ collected: true, keys: [] });
    expect(heir.objectsOf(parentId)).toEqual([]);
  });
});

describe('a branch', () => {
  it('has the key of its parent, its cipher, and a check value of its own', async () => {
    const parent = await database();
    for (const wrong of [{ key: otherKey }, { key, cipher: 'aes256gcm' as const }, undefined]) {
      if (wrong) world.clientKeys.set(childId, wrong);
      else world.clientKeys.delete(childId);
      await expect(parent.branchWithoutOpening(childId)).rejects.toMatchObject({
        code: expect.stringMatching(/^ENCRYPTION_/) as string,
      });
    }
    world.clientKeys.set(childId, { key });
    const child = await parent.branch(childId);
    await child.write(random, 3);
    await child.fold();
    await child.assertHistory(child.manifest.parent?.commit);
    const { encryption, reservedBytes, keys } = child.manifest;
    expect([encryption.mode, reservedBytes, keys.map(({ mode }) => mode)]).toEqual([
      'client',
      48,
      ['client', 'client'],
    ]);
    expect(encryption).toMatchObject({ cipher: 'aegis256' });
    expect(encryption).not.toEqual(parent.manifest.encryption);
  });

  it('from within a fragment is sealed under its own data key', async () => {
    const parent = await node.create(parentId);
    const { sample } = parent;
    for (let commit = 0; commit < 4; commit++) {
      sample.writeRandomly(random, 10);
      node.context.log.append(parent, sample.commits.at(-1) as never);
    }
    await parent.durable();
    const child = await parent.branch(childId, { commit: 2 }, 2);
    expect(child.sample.commits).toHaveLength(2);
    await child.assertHistory(2);
  });
});

describe('a manifest that was tampered with', () => {
  it("does not pass with another database's keys, check value or cipher", async () => {
    await database();
    await database(otherId);
    const [own, foreign] = [await node.manifest(parentId), await node.manifest(otherId)];
    const check = foreign.encryption;
    await changeManifest(parentId, (manifest) => ({ ...manifest, encryption: check }));
    await expect(node.open(parentId)).rejects.toEqual(fault('ENCRYPTION_KEY_WRONG'));
    await changeManifest(parentId, (manifest) => ({
      ...manifest,
      encryption: { ...own.encryption, cipher: 'aes256gcm' } as Manifest['encryption'],
    }));
    world.clientKeys.set(parentId, { key });
    await expect(node.open(parentId)).rejects.toEqual(fault('ENCRYPTION_KEY_WRONG'));
    await changeManifest(parentId, () => ({ ...own, keys: foreign.keys }));
    await expect(node.open(parentId)).rejects.toEqual(fault('KEY_WRONG'));
    const [wrapped] = own.keys;
    const [theirs] = foreign.keys;
    if (!wrapped || !theirs) throw new Error('no keys');
    await changeManifest(parentId, () => ({ ...own, keys: [{ ...wrapped, wrapped: theirs.wrapped }] }));
    await expect(node.open(parentId)).rejects.toEqual(fault('KEY_WRONG'));
    // Called one of the key service's, it is asked for no key, and does not open.
    await changeManifest(parentId, () => ({ ...own, encryption: { mode: 'kms' } }));
    world.clientKeys.delete(parentId);
    await expect(node.open(parentId)).rejects.toEqual(fault('ENCRYPTION_KEY_REQUIRED'));
    await changeManifest(parentId, () => own);
    world.clientKeys.set(parentId, { key });
    await node.open(parentId);
  });
});

it('no byte of the key is stored', async () => {
  const sample = await database();
  await sample.branch(childId);
  admittedKey(sample.manifest, { key })?.wipe();
  const bytes = Buffer.alloc(32, 5);
  for (const store of [world.dataStore, world.logStore]) {
    for (const [name, object] of store.objects) {
      const text = Buffer.from((object as { body: Uint8Array }).body);
      for (const form of [bytes, key, bytes.toString('hex')]) {
        expect([name, text.includes(form)]).toEqual([name, false]);
      }
    }
  }
});
