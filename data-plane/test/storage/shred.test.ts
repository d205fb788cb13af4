/** Crypto-shred: no version of a manifest holds a wrapped key any more, the certificate says so, and a crash anywhere harms nothing. */
import { readCertificate, requestShred } from '../../src/database/shred-database.js';
import { manifestName, shredCertificateName } from '../../src/storage/object-names.js';
import { sha256 } from '../../src/storage/generation.js';
import { seededRandom } from '../seeded-random.js';
import type { Manifest } from '../../src/storage/manifest.js';
import { Crash, CrashingStore, crashingVersions, type CrashPoint } from './crashing-store.js';
import { sampleId, StorageWorld, type StorageNode } from './storage-node.js';

const [id, childId, grandchildId] = [sampleId(1), sampleId(2), sampleId(3)];
const minuteMs = 60_000;
const policy = { historyMs: 10 * minuteMs, undeleteMs: 20 * minuteMs };

let world: StorageWorld;
let node: StorageNode;
/** What the store must not show anywhere after the shred, as it stood in the manifest. */
let wrapped: string[];
let last: { readonly manifest: Manifest; readonly versions: number };

beforeEach(async () => {
  world = new StorageWorld();
  world.dataStore.isVersioned = true;
  node = await world.node(undefined, policy);
  const random = seededRandom(7);
  const sample = await node.create(id, 'shop');
  for (let round = 0; round < 2; round++) {
    await sample.write(random, 2);
    await sample.fold();
  }
  await sample.rekey();
  await sample.write(random, 1);
  await sample.fold();
  await node.delete(id);
  const manifest = await node.manifest(id);
  wrapped = manifest.keys.map((key) => key.wrapped);
  last = { manifest, versions: world.dataStore.replaced.get(manifestName(id))?.size ?? 0 };
});

/** Everything that the data store shows of the database, all versions included. */
function shown(): string {
  const { objects, replaced } = world.dataStore;
  const all = [...objects].map(([, { body }]) => body);
  for (const versions of replaced.values()) all.push(...versions.values());
  return Buffer.concat(all).toString('latin1');
}

async function shred(by = node): Promise<void> {
  const { manifests } = by.context;
  const found = await manifests.read(id);
  if (!found) throw new Error('no manifest');
  await world.runtime.run(requestShred(by.context, found, { requestedBy: 'alice', copies: ['backup 1'] }));
  await by.collect(id);
}

describe('a crypto-shred', () => {
  it('destroys every version of the wrapped keys before the content, and certifies it', async () => {
    for (const key of wrapped) expect(shown()).toContain(key);
    await shred();
    for (const key of wrapped) expect(shown()).not.toContain(key);
    expect(node.objectsOf(id)).toEqual([]);
    const certificate = await readCertificate(node.context, id);
    expect(certificate).toMatchObject({
      database: id,
      name: 'shop',
      requestedBy: 'alice',
      requestedAtMs: expect.any(Number) as number,
      keys: [
        { number: 2, keyId: 'memory-key' },
        { number: 1, keyId: 'memory-key' },
      ],
      heirs: [],
      copies: ['backup 1'],
      epoch: node.epoch,
    });
    expect(certificate.olderVersions).toBeGreaterThan(last.versions);
    expect(certificate.manifestVersion).toBeGreaterThan(last.manifest.version);
    const tombstone = await node.manifest(id);
    expect(tombstone).toMatchObject({ collected: true, keys: [], tail: [] });
    expect(tombstone.shredding).toBeUndefined();
    expect(tombstone.certificate).toBe(
      sha256(world.dataStore.objects.get(shredCertificateName(id))?.body ?? Buffer.alloc(0)).toString('hex'),
    );
    await expect(node.undelete(id)).rejects.toMatchObject({ code: 'UNDELETE_EXPIRED' });
    // Once more changes nothing.
    const { version } = tombstone;
    await node.collect(id);
    expect((await node.manifest(id)).version).toBe(version);
  });

  it('follows the end of the undelete window by itself, and says so', async () => {
    await node.collect(id);
    expect((await node.manifest(id)).keys).toHaveLength(2);
    await expect(readCertificate(node.context, id)).rejects.toMatchObject({ code: 'CERTIFICATE_NOT_FOUND' });
    await world.runtime.advance(policy.undeleteMs);
    await node.collect(id);
    for (const key of wrapped) expect(shown()).not.toContain(key);
    const { deletedAtMs = 0 } = last.manifest;
    expect(await readCertificate(node.context, id)).toMatchObject({
      requestedBy: 'undelete window',
      requestedAtMs: deletedAtMs + policy.undeleteMs,
    });
  });

  it('is refused while the database is not deleted', async () => {
    await node.undelete(id);
    await expect(shred()).rejects.toMatchObject({ code: 'SHRED_REFUSED' });
    await node.open(id);
  });

  it('forbids to bring the database back from the moment on at which it was asked for', async () => {
    const found = await node.context.manifests.read(id);
    await world.runtime.run(requestShred(node.context, found as NonNullable<typeof found>, { requestedBy: 'alice' }));
    await expect(node.undelete(id)).rejects.toMatchObject({ code: 'UNDELETE_EXPIRED' });
  });

  it('names the branches that hold keys of their own, and leaves them whole', async () => {
    await node.undelete(id);
    const sample = await node.open(id);
    const child = await sample.branch(childId);
    await child.branchWithoutOpening(grandchildId);
    await node.delete(childId);
    await node.delete(id);
    await shred();
    expect(await readCertificate(node.context, id)).toMatchObject({
      heirs: [{ database: childId }, { database: grandchildId }],
    });
    node = await world.node(undefined, policy);
    const heir = await node.open(grandchildId);
    await heir.imageAt({ commit: heir.sample.commits.length });
  });

  it('destroys the keys though the content is damaged', async () => {
    await node.undelete(id);
    const sample = await node.open(id);
    await sample.branchWithoutOpening(childId);
    await node.delete(id);
    for (const key of node.objectsOf(id)) if (key.endsWith('/generation')) world.dataStore.objects.delete(key);
    await expect(shred()).rejects.toMatchObject({ code: 'STORE_OBJECT_MISSING' });
    const { keys } = await node.manifest(id);
    expect(keys).toEqual([]);
    for (const key of wrapped) expect(shown()).not.toContain(key);
    expect(world.dataStore.objects.has(shredCertificateName(id))).toBe(true);
  });

  it('certifies nothing when the store does not let a version go', async () => {
    const held = await world.node(undefined, policy, {
      ...world.dataStore.versions,
      remove: async () => Promise.reject(new Error('locked')),
    });
    await expect(shred(held)).rejects.toThrow('locked');
    expect(world.dataStore.objects.has(shredCertificateName(id))).toBe(false);
    expect(node.objectsOf(id)).not.toEqual([]);
    await node.collect(id);
    for (const key of wrapped) expect(shown()).not.toContain(key);
    expect(await readCertificate(node.context, id)).toMatchObject({ requestedBy: 'alice' });
  });

  it('goes on after a crash at any call to the store', async () => {
    const { objects, replaced } = world.dataStore;
    const before = {
      objects: new Map(objects),
      replaced: [...replaced].map(([key, versions]) => [key, new Map(versions)] as const),
    };
    const play = async (crash: Crash): Promise<void> => {
      objects.clear();
      for (const [key, object] of before.objects) objects.set(key, object);
      replaced.clear();
      for (const [key, versions] of before.replaced) replaced.set(key, new Map(versions));
      const { runtime, dataStore } = world;
      const versions = crashingVersions(runtime, dataStore.versions, crash);
      const dying = await world.node((store) => new CrashingStore(runtime, store, crash), policy, versions);
      await Promise.race([shred(dying), crash.happened]);
    };
    const whole = new Crash();
    await play(whole);
    const points = Array.from({ length: whole.calls }, (_, index) => index + 1).flatMap((call): CrashPoint[] =>
      whole.writes.includes(call)
        ? [
            { call, side: 'before' },
            { call, side: 'after' },
          ]
        : [{ call, side: 'before' }],
    );
    expect(points.length).toBeGreaterThan(20);
    for (const point of points) {
      await play(new Crash(point));
      try {
        if (world.dataStore.objects.has(shredCertificateName(id))) {
          for (const key of wrapped) expect(shown()).not.toContain(key);
        } else expect(node.objectsOf(id)).not.toEqual([]);
        node = await world.node(undefined, policy);
        await shred();
        for (const key of wrapped) expect(shown()).not.toContain(key);
        // The list of what was deleted may be left; it holds names only.
        expect(node.objectsOf(id).filter((key) => !key.includes('/garbage/'))).toEqual([]);
        const { olderVersions, requestedBy } = await readCertificate(node.context, id);
        expect(requestedBy).toBe('alice');
        expect(olderVersions).toBeGreaterThan(last.versions);
      } catch (error) {
        throw new Error(`crash ${point.side} call ${point.call}`, { cause: error });
      }
    }
  }, 120_000);
});
