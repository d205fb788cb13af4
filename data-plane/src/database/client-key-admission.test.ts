import { sampleManifest } from '../../test/storage/sample-manifest.js';
import { cipherNames, ciphers, type CipherName } from '../keys/ciphers.js';
import { ClientKey } from '../keys/client-key.js';
import { systemRuntime } from '../runtime.js';
import {
  Admission,
  admittedKey,
  assertAdmitted,
  clientEncryption,
  isKeyRefusal,
  isSamePresented,
} from './client-key-admission.js';

const keyFor = (cipher: CipherName, fill = 7): string =>
  Buffer.alloc(ciphers[cipher].keyBytes, fill).toString('base64');

function encrypted(cipher: CipherName) {
  const manifest = sampleManifest();
  const client = ClientKey.parse(keyFor(cipher), cipher);
  const database = { deployment: manifest.deployment, database: manifest.id };
  return { ...manifest, encryption: clientEncryption(client, database, cipher) };
}

function refusal(run: () => void): string | undefined {
  try {
    run();
  } catch (error) {
    if (!isKeyRefusal(error)) throw error;
    return error.code;
  }
  return undefined;
}

describe('a request for a database whose client holds the key', () => {
  it.each(cipherNames)('is let in with the right key, cipher named or not: %s', (cipher) => {
    const manifest = encrypted(cipher);
    for (const presented of [
      { key: keyFor(cipher) },
      { key: keyFor(cipher), cipher },
      { key: keyFor(cipher), cipher: '' },
    ]) {
      expect(admittedKey(manifest, presented)).toBeInstanceOf(ClientKey);
      expect(() => assertAdmitted(manifest, presented)).not.toThrow();
    }
  });

  const key = keyFor('aegis256');
  it.each<[string, object | undefined, string]>([
    ['nothing', undefined, 'ENCRYPTION_KEY_REQUIRED'],
    ['an empty key', { key: '' }, 'ENCRYPTION_KEY_REQUIRED'],
    ['a cipher alone', { cipher: 'aegis256' }, 'ENCRYPTION_KEY_REQUIRED'],
    ['what is not base64', { key: 'not base64' }, 'ENCRYPTION_KEY_MALFORMED'],
    ['a key of another length', { key: keyFor('aegis128l') }, 'ENCRYPTION_KEY_LENGTH'],
    ['another cipher', { key, cipher: 'aes256gcm' }, 'ENCRYPTION_CIPHER_MISMATCH'],
    ['a cipher that there is not', { key, cipher: 'rot13' }, 'ENCRYPTION_CIPHER_MISMATCH'],
    ['another key', { key: keyFor('aegis256', 8) }, 'ENCRYPTION_KEY_WRONG'],
  ])('is refused with %s', (_what, presented, code) => {
    expect(refusal(() => assertAdmitted(encrypted('aegis256'), presented))).toBe(code);
  });

  it('is refused when its manifest was given the check value of another database', () => {
    const manifest = { ...encrypted('aegis256'), id: '00000000-0000-4000-8000-00000000000f' as never };
    expect(refusal(() => assertAdmitted(manifest, { key }))).toBe('ENCRYPTION_KEY_WRONG');
  });
});

describe('a request for a database whose keys the key service wraps', () => {
  it('is let in without a key only', () => {
    expect(admittedKey(sampleManifest())).toBeUndefined();
    expect(admittedKey(sampleManifest(), { key: '', cipher: '' })).toBeUndefined();
    for (const presented of [{ key: keyFor('aegis256') }, { key: 'not base64' }, { cipher: 'aegis256' }]) {
      expect(refusal(() => assertAdmitted(sampleManifest(), presented))).toBe('ENCRYPTION_KEY_UNEXPECTED');
    }
  });
});

describe('the admission of an open database', () => {
  const key = keyFor('aegis256');

  it('goes on asking for the key when it has seen the right one', () => {
    const admission = new Admission(systemRuntime);
    const manifest = encrypted('aegis256');
    const judge = (presented: object | undefined, of = manifest) => refusal(() => admission.assert(of, presented));
    for (let round = 0; round < 2; round++) {
      expect(judge({ key })).toBeUndefined();
      expect(judge({ key, cipher: 'aegis256' })).toBeUndefined();
      expect(judge(undefined)).toBe('ENCRYPTION_KEY_REQUIRED');
      expect(judge({ key: keyFor('aegis256', 8) })).toBe('ENCRYPTION_KEY_WRONG');
      expect(judge({ key, cipher: 'aes256gcm' })).toBe('ENCRYPTION_CIPHER_MISMATCH');
      expect(judge({ key: `${key}${key}` })).toBe('ENCRYPTION_KEY_MALFORMED');
    }
    // The manifest names another key by now.
    const other = ClientKey.parse(keyFor('aegis256', 9), 'aegis256');
    const identity = { deployment: manifest.deployment, database: manifest.id };
    expect(judge({ key }, { ...manifest, encryption: clientEncryption(other, identity, 'aegis256') })).toBe(
      'ENCRYPTION_KEY_WRONG',
    );
    expect(refusal(() => admission.assert(sampleManifest(), { key }))).toBe('ENCRYPTION_KEY_UNEXPECTED');
  });
});

it('tells whether two requests brought the same', () => {
  expect(isSamePresented(undefined, {})).toBe(true);
  expect(isSamePresented({ key: 'a' }, { key: 'a', cipher: '' })).toBe(true);
  expect(isSamePresented({ key: 'a' }, { key: 'b' })).toBe(false);
  expect(isSamePresented({ key: 'a' }, { key: 'a', cipher: 'aegis256' })).toBe(false);
  expect(isSamePresented(undefined, { key: 'a' })).toBe(false);
});
