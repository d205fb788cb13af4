import { cipherNames, ciphers, type CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import { branchClientEncryption, newClientEncryption, parseRemoteEncryption } from './remote-encryption.js';

const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b';
const keyFor = (cipher: CipherName): string => Buffer.alloc(ciphers[cipher].keyBytes, 0xfb).toString('base64');
const key = keyFor('aegis256');

function refusal(run: () => unknown): { code: string; message: string } | undefined {
  try {
    run();
  } catch (error) {
    return error as { code: string; message: string };
  }
  return undefined;
}

describe('what a creation asks to be encrypted with', () => {
  it('is a key of the key service, a client key, or nothing', () => {
    expect(parseRemoteEncryption({ kms_key_arn: arn })).toEqual({ keyId: arn });
    expect(parseRemoteEncryption({ kms_key_arn: arn, encryption_key: '', encryption_cipher: null })).toEqual({
      keyId: arn,
    });
    for (const nothing of [undefined, null, {}, { kms_key_arn: null }, { encryption_key: '' }]) {
      expect(parseRemoteEncryption(nothing)).toBeUndefined();
    }
    for (const cipher of cipherNames) {
      const asked = { encryption_key: keyFor(cipher), encryption_cipher: cipher };
      expect(parseRemoteEncryption(asked)).toEqual({ clientKey: { key: keyFor(cipher), cipher } });
    }
    expect(parseRemoteEncryption({ encryption_key: key })).toEqual({ clientKey: { key } });
  });

  it.each<[unknown, string]>([
    ['arn', 'MALFORMED_REQUEST'],
    [['arn'], 'MALFORMED_REQUEST'],
    [{ kms_key_arn: 7 }, 'MALFORMED_REQUEST'],
    [{ kms_key_arn: 'x'.repeat(513) }, 'MALFORMED_REQUEST'],
    [{ encryption_key: 7, encryption_cipher: 'aegis256' }, 'MALFORMED_REQUEST'],
    [{ encryption_cipher: 'aegis256' }, 'ENCRYPTION_INVALID'],
    [{ encryption_key: key, encryption_cipher: 'rot13' }, 'ENCRYPTION_INVALID'],
    [{ kms_key_arn: 'a', encryption_key: key }, 'ENCRYPTION_INVALID'],
    [{ kms_key_arn: 'a', other: 'b' }, 'OPTION_NOT_OFFERED'],
  ])('%j is refused: %s', (given, code) => {
    const refused = refusal(() => parseRemoteEncryption(given));
    expect(refused).toMatchObject({ code });
    expect(refused?.message).not.toContain(key);
  });
});

describe('the client key of a new database', () => {
  it('comes with its cipher and has its length', () => {
    for (const cipher of cipherNames) {
      expect(newClientEncryption({ key: keyFor(cipher), cipher })).toEqual({ key: keyFor(cipher), cipher });
    }
    for (const wrong of [{ key }, { key, cipher: 'aes128gcm' }, { key: `${key} `, cipher: 'aegis256' }] as const) {
      const refused = refusal(() => newClientEncryption(wrong));
      expect(refused).toMatchObject({ code: 'ENCRYPTION_INVALID' });
      expect(refused?.message).not.toContain(key);
    }
  });
});

describe('the client key of a branch', () => {
  const encrypted = { name: 'parent', encryptionCipher: 'aegis256' } as const;
  const plain = { name: 'parent' };

  it("is given again, with its parent's cipher or none", () => {
    expect(branchClientEncryption(undefined, plain)).toBeUndefined();
    for (const asked of [{ key }, { key, cipher: 'aegis256' }] as const) {
      expect(branchClientEncryption(asked, encrypted)).toEqual({ key, cipher: 'aegis256' });
    }
    for (const [asked, parent] of [
      [undefined, encrypted],
      [{ key }, plain],
      [{ key, cipher: 'aes256gcm' }, encrypted],
      [{ key: keyFor('aes128gcm') }, encrypted],
    ] as const) {
      expect(refusal(() => branchClientEncryption(asked, parent))).toMatchObject({ code: 'ENCRYPTION_INVALID' });
    }
  });
});
