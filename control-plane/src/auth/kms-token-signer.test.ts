import { generateKeyPairSync, sign } from 'node:crypto';
import { compactVerify, importJWK, jwtVerify } from 'jose';
import { kmsTokenSigner, type SigningService } from './kms-token-signer.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const spki = publicKey.export({ format: 'der', type: 'spki' });
/** KMS, as far as it signs: it never gives the private key away. */
const service: SigningService = {
  publicKey: async () => spki,
  sign: async (message) => sign(null, message, privateKey),
};

describe('kmsTokenSigner', () => {
  it('makes tokens that anybody verifies with the public key it names', async () => {
    const signer = await kmsTokenSigner(service, 'k');
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: signer.publicKey }, 'EdDSA');
    const { payload, protectedHeader } = await jwtVerify(await signer.sign({ jti: 'ü' }), key);
    expect(payload).toEqual({ jti: 'ü' });
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'JWT', kid: signer.kid });
  });

  it('signs bytes for one use, and names the use', async () => {
    const signer = await kmsTokenSigner(service, 'k');
    const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x: signer.publicKey }, 'EdDSA');
    const jws = await signer.signBytes(Buffer.from([1, 2, 0]), 'a-use');
    const { payload, protectedHeader } = await compactVerify(jws, key);
    expect([...payload]).toEqual([1, 2, 0]);
    expect(protectedHeader).toEqual({ alg: 'EdDSA', typ: 'a-use', kid: signer.kid });
  });

  it('refuses a key of another kind', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const other = { ...service, publicKey: async () => rsa.publicKey.export({ format: 'der', type: 'spki' }) };
    await expect(kmsTokenSigner(other, 'k')).rejects.toMatchObject({
      code: 'SIGNING_KEY_INVALID',
      message: 'the key k is not an Ed25519 key',
    });
  });

  it('refuses a key whose signatures do not fit its public key', async () => {
    const another = generateKeyPairSync('ed25519').privateKey;
    const exchanged = { ...service, sign: async (message: Uint8Array) => sign(null, message, another) };
    await expect(kmsTokenSigner(exchanged, 'k')).rejects.toThrow('does not verify');
  });

  it.each(['publicKey', 'sign'] as const)('says what KMS says when it refuses %s', async (call) => {
    const refusing = { ...service, [call]: async () => Promise.reject(new Error('AccessDeniedException')) };
    await expect(kmsTokenSigner(refusing, 'arn:k')).rejects.toMatchObject({
      code: 'SIGNING_KEY_INVALID',
      message: expect.stringContaining('the key arn:k cannot be used: Error: AccessDeniedException'),
    });
  });

  it('does not swallow a failure while it signs a token', async () => {
    let calls = 0;
    const failing = {
      ...service,
      sign: async (message: Uint8Array) =>
        calls++ === 0 ? service.sign(message) : Promise.reject(new Error('throttled')),
    };
    const signer = await kmsTokenSigner(failing, 'k');
    await expect(signer.sign({})).rejects.toThrow('throttled');
  });
});
