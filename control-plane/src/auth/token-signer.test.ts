import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importJWK, jwtVerify } from 'jose';
import { loadTokenSigner, newSigningKeyFileContent, openTokenSigner } from './token-signer.js';

describe('loadTokenSigner', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'token-signer-'));
    path = join(directory, 'key');
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('signs with a JWK, under the id and public key it names', async () => {
    await writeFile(path, newSigningKeyFileContent());
    const signer = await loadTokenSigner(path);
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: signer.publicKey }, 'EdDSA');
    const { payload, protectedHeader } = await jwtVerify(await signer.sign({ jti: 'x' }), key);
    expect(payload).toEqual({ jti: 'x' });
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: signer.kid });
    expect(Buffer.from(signer.publicKey, 'base64url')).toHaveLength(32);
  });

  it('reads the same key from PKCS#8', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(path, JSON.stringify(privateKey.export({ format: 'jwk' })));
    const fromJwk = await loadTokenSigner(path);
    await writeFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    const fromPem = await loadTokenSigner(path);
    expect(fromPem.kid).toBe(fromJwk.kid);
    expect(fromPem.publicKey).toBe(fromJwk.publicKey);
  });

  it('refuses a key of another kind', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }));
    await expect(loadTokenSigner(path)).rejects.toMatchObject({ code: 'SIGNING_KEY_INVALID' });
  });

  it.each(['', 'no key', '{"kty":"OKP","crv":"Ed25519","d":"c2VjcmV0"}'])(
    'refuses %p without quoting it',
    async (content) => {
      await writeFile(path, content);
      const error: unknown = await loadTokenSigner(path).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'SIGNING_KEY_INVALID', message: `the file ${path} holds no private key` });
      expect((error as Error).cause).toBeUndefined();
    },
  );

  it('says which file is missing', async () => {
    await expect(loadTokenSigner(path)).rejects.toMatchObject({
      code: 'SIGNING_KEY_INVALID',
      message: expect.stringContaining(path) as string,
    });
  });
});

describe('openTokenSigner', () => {
  it('derives the same key from the same seed (RFC 8032, test 1)', async () => {
    const hex = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const { publicKey } = await openTokenSigner({ kind: 'seed', hex });
    expect(Buffer.from(publicKey, 'base64url').toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
  });

  it.each(['', 'ab', 'z'.repeat(64)])('refuses the seed %p and does not repeat it', async (hex) => {
    const refused = openTokenSigner({ kind: 'seed', hex });
    await expect(refused).rejects.toMatchObject({
      code: 'SIGNING_KEY_INVALID',
      message: 'the seed of the signing key is not 64 hexadecimal digits',
    });
  });
});
