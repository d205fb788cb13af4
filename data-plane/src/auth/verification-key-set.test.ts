import fc from 'fast-check';
import { thrownBy } from '../../test/support/thrown-by.js';
import { keySetBytes, tokenIssuer } from '../../test/support/token-issuer.js';
import { isByocError } from '../errors/catalogue.js';
import { parseVerificationKeySet } from './verification-key-set.js';

const issuer = tokenIssuer('key-1');
const good = JSON.parse(keySetBytes(3, issuer).toString()) as Record<string, unknown>;
const parse = (value: unknown) => parseVerificationKeySet(Buffer.from(JSON.stringify(value)));

describe('parseVerificationKeySet', () => {
  it('reads what the control plane publishes', () => {
    const { version, keys } = parseVerificationKeySet(keySetBytes(3, issuer, tokenIssuer('key-2')));
    expect(version).toBe(3);
    expect([...keys.keys()]).toEqual(['key-1', 'key-2']);
    expect(keys.get('key-1')?.key.asymmetricKeyType).toBe('ed25519');
  });

  const key = issuer.published;
  it.each<[string, unknown]>([
    ['null', null],
    ['a list', []],
    ['no format', { ...good, format: undefined }],
    ['another format', { ...good, format: 'something/else' }],
    ['a version that is text', { ...good, version: '3' }],
    ['version 0', { ...good, version: 0 }],
    ['a fractional version', { ...good, version: 1.5 }],
    ['a version beyond 2^53', { ...good, version: 2 ** 60 }],
    ['no keys', { ...good, keys: undefined }],
    ['keys that are an object', { ...good, keys: { length: 0 } }],
    ['too many keys', { ...good, keys: Array.from({ length: 1025 }, (_, n) => ({ ...key, kid: `k${n}` })) }],
    ['a key that is null', { ...good, keys: [null] }],
    ['a key without id', { ...good, keys: [{ ...key, kid: '' }] }],
    ['a key id with control characters', { ...good, keys: [{ ...key, kid: 'a\nb' }] }],
    ['another algorithm', { ...good, keys: [{ ...key, algorithm: 'RS256' }] }],
    ['a short key', { ...good, keys: [{ ...key, publicKey: key.publicKey.slice(0, 42) }] }],
    ['a padded key', { ...good, keys: [{ ...key, publicKey: `${key.publicKey}=` }] }],
    ['a key in another spelling', { ...good, keys: [{ ...key, publicKey: `${'A'.repeat(42)}B` }] }],
    ['the same id twice', { ...good, keys: [key, key] }],
    ['one bad key among good ones', { ...good, keys: [key, { ...key, kid: 'x', publicKey: 7 }] }],
  ])('refuses %s', (_what, value) => {
    expect(thrownBy(() => parse(value))).toMatchObject({ code: 'STORE_OBJECT_CORRUPT' });
  });

  it('names a set of another release as such', () => {
    expect(thrownBy(() => parse({ ...good, format: 'turso-byoc/verification-keys/2' }))).toMatchObject({
      code: 'STORE_FORMAT_UNKNOWN',
    });
  });

  it('refuses an object that is too long before it parses it', () => {
    expect(thrownBy(() => parseVerificationKeySet(Buffer.alloc(256 * 1024 + 1, 0x20)))).toMatchObject({
      code: 'STORE_OBJECT_CORRUPT',
    });
  });

  it('refuses text that is not UTF-8', () => {
    expect(() => parseVerificationKeySet(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not JSON/);
  });

  it('answers any bytes with a key set or an error of the catalogue', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ at: fc.nat(150), byte: fc.nat(255) })
        .map(({ at, byte }) => keySetBytes(1, issuer).fill(byte, at, at + 1)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          parseVerificationKeySet(Buffer.from(input));
        } catch (error) {
          expect(isByocError(error, 'STORE_OBJECT_CORRUPT', 'STORE_FORMAT_UNKNOWN')).toBe(true);
        }
      }),
    );
  });
});
