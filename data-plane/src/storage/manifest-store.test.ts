import { bitFlips, truncations } from '../../test/damage.js';
import { databaseA, databaseB, epochA, epochB } from '../../test/storage/sample-database.js';
import { createManifest, sampleManifest } from '../../test/storage/sample-manifest.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { systemRuntime } from '../runtime.js';
import { storedManifest, type Manifest, type ServiceWrappedKey } from './manifest.js';
import { ManifestStore } from './manifest-store.js';
import { manifestName } from './object-names.js';

const full: Manifest = sampleManifest({
  deletedAtMs: 5,
  generation: { term: 1, number: 2, digest: 'f'.repeat(64), commit: 9, commitTimeMs: 9 },
  tail: [{ epoch: epochB, term: 1, fragments: [[0, 100, 200, 10, 12]] }],
});
const damaged = expect.objectContaining({ code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/) });

afterEach(removeTemporaryDirectories);

const [wrapped] = full.keys as [ServiceWrappedKey];
const { keyId: _keyId, ...ofClient } = wrapped;
const heldByClient: Manifest = sampleManifest({
  encryption: { mode: 'client', cipher: 'aegis256', check: 'a'.repeat(64) },
  reservedBytes: 48,
  keys: [{ ...ofClient, mode: 'client' }],
});

describe('manifest', () => {
  it('is what was stored, in full and at the least', () => {
    const { owner: _owner, ...least } = sampleManifest();
    for (const manifest of [full, least, heldByClient]) {
      expect(storedManifest.decode('m', storedManifest.encode(manifest))).toEqual(manifest);
    }
  });

  it('is refused after any truncation and any flipped bit', () => {
    const bytes = storedManifest.encode(full);
    for (const altered of [...truncations(bytes), ...bitFlips(bytes)]) {
      expect(() => storedManifest.decode('m', altered)).toThrow(damaged);
    }
  });

  it.each<[string, object]>([
    ['no key', { keys: [] }],
    ['an engine nobody knows', { engine: 'other' }],
    ['an id that is not a UUID', { id: 'X' }],
    ['a negative term', { term: -1 }],
    ['a fragment without a length', { tail: [{ epoch: epochA, term: 1, fragments: [[0, 1]] }] }],
    ['reserved bytes that no page has', { reservedBytes: 256 }],
    ['a data key that nobody wraps', { keys: [{ ...wrapped, mode: 'nobody' }] }],
    ['a data key that a client and the key service wrap', { keys: [{ ...wrapped, mode: 'client' }] }],
    ['a data key without the key that wraps it', { keys: [{ ...ofClient, mode: 'kms' }] }],
    ['a cipher that there is not', { encryption: { ...heldByClient.encryption, cipher: 'rot13' } }],
    ['no check value of a key that a client holds', { encryption: { mode: 'client', cipher: 'aegis256' } }],
  ])('is never stored with %s', (_what, changes) => {
    expect(() => storedManifest.encode({ ...sampleManifest(), ...changes })).toThrow('wrong shape');
  });
});

describe('manifest store', () => {
  it('creates once, and finds nothing where nothing is', async () => {
    const manifests = new ManifestStore(systemRuntime, await temporaryStore());
    expect(await manifests.read(databaseA)).toBeUndefined();
    const manifest = sampleManifest();
    expect(await manifests.create(manifest)).toBe(true);
    expect(await manifests.create(sampleManifest({ name: 'other' }))).toBe(false);
    expect((await manifests.read(databaseA))?.manifest).toEqual(manifest);
  });

  it('raises the version with every change and changes nothing on an old base', async () => {
    const manifests = new ManifestStore(systemRuntime, await temporaryStore());
    const base = await createManifest(manifests, sampleManifest());
    const second = await manifests.replace(base, { ...base.manifest, term: 2 });
    expect(second).toMatchObject({ manifest: { version: 2, term: 2 } });
    const late = await manifests.replace(base, { ...base.manifest, term: 7, owner: epochB });
    expect(late).toMatchObject({ lost: { version: 2, term: 2, owner: epochA } });
    expect(await manifests.read(databaseA)).toEqual(second);
  });

  it('refuses the manifest of another database under this name', async () => {
    const store = await temporaryStore();
    const manifests = new ManifestStore(systemRuntime, store);
    await store.put(manifestName(databaseA), storedManifest.encode(sampleManifest({ id: databaseB })), {
      ifAbsent: true,
    });
    const corrupt = expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' });
    await expect(manifests.read(databaseA)).rejects.toEqual(corrupt);
  });

  it('notices that a manifest was deleted', async () => {
    const store = await temporaryStore();
    const manifests = new ManifestStore(systemRuntime, store);
    const base = await createManifest(manifests, sampleManifest());
    await store.delete(manifestName(databaseA));
    const missing = expect.objectContaining({ code: 'STORE_OBJECT_MISSING' });
    await expect(manifests.replace(base, base.manifest)).rejects.toEqual(missing);
  });
});
