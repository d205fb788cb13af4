import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verificationKeysObject } from '@turso-byoc/data-plane/auth/claims.js';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import { newSigner } from '../../test/support/new-signer.js';
import { publishVerificationKey } from './verification-keys.js';

describe('publishVerificationKey', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'verification-keys-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('publishes a key once', async () => {
    const store = await LocalObjectStore.open(directory);
    const signer = await newSigner();
    const first = await publishVerificationKey(store, signer);
    expect(first).toEqual({
      format: 'turso-byoc/verification-keys/1',
      version: 1,
      keys: [{ kid: signer.kid, algorithm: 'Ed25519', publicKey: signer.publicKey }],
    });
    const before = await store.get(verificationKeysObject);
    expect(await publishVerificationKey(store, signer)).toEqual(first);
    expect((await store.get(verificationKeysObject))?.etag).toBe(before?.etag);
  });

  it('loses no key when many replicas publish at once', async () => {
    const signers = await Promise.all(Array.from({ length: 5 }, newSigner));
    const stores = await Promise.all(signers.map(async () => LocalObjectStore.open(directory)));
    await Promise.all(
      [...signers, ...signers].map(async (signer, index) => {
        const set = await publishVerificationKey(stores[index % 5]!, signer);
        expect(set.keys.map((key) => key.kid)).toContain(signer.kid);
      }),
    );
    const final = await publishVerificationKey(stores[0]!, signers[0]!);
    expect(final.version).toBe(5);
    expect(new Set(final.keys.map((key) => key.kid))).toEqual(new Set(signers.map((signer) => signer.kid)));
  });

  it.each(['nonsense', '{"format":"turso-byoc/verification-keys/2","version":1,"keys":[]}'])(
    'refuses to replace an object it cannot read: %s',
    async (content) => {
      const store = await LocalObjectStore.open(directory);
      await store.put(verificationKeysObject, Buffer.from(content), { ifAbsent: true });
      await expect(publishVerificationKey(store, await newSigner())).rejects.toMatchObject({
        code: 'CONTROL_STORE_CORRUPT',
      });
    },
  );
});
