import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { KeyMismatchError, type EncryptionContext } from './key-service.js';
import { encodeAssociatedData, unwrapDataKey, wrapDataKey, wrappedKeyBytes } from './wrapped-key.js';

const material = randomBytes(32);
const context: EncryptionContext = { deployment: 'd', organization: 'o', group: 'g', database: 'b' };
const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('\ud800', '\ufffd', '', '\0'));
const fields = fc.tuple(text, text, text, text, text);

const encode = ([keyId, deployment, organization, group, database]: [string, string, string, string, string]): string =>
  encodeAssociatedData(keyId, { deployment, organization, group, database }).toString('hex');

describe('a wrapped data key', () => {
  it('opens under its key and context', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), text, (dataKey, database) => {
        const bound = { ...context, database };
        const wrapped = wrapDataKey(material, 'default', bound, Buffer.from(dataKey));
        expect(unwrapDataKey(material, 'default', bound, wrapped)).toEqual(Buffer.from(dataKey));
      }),
    );
  });

  it('fails by name for any other bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ minLength: wrappedKeyBytes, maxLength: wrappedKeyBytes }).map((array) => {
        array[0] = 1;
        return array;
      }),
    );
    fc.assert(
      fc.property(bytes, (wrapped) => {
        expect(() => unwrapDataKey(material, 'default', context, wrapped)).toThrow(KeyMismatchError);
      }),
    );
  });

  it('is bound to an encoding that no two contexts share', () => {
    fc.assert(
      fc.property(
        fields,
        fields,
        (a, b) => (encode(a) === encode(b)) === a.every((field, index) => field === b[index]),
      ),
    );
    expect(encode(['', '\ud800', '', '', ''])).not.toBe(encode(['', '\ufffd', '', '', '']));
    expect(encode(['', 'a', 'bc', '', ''])).not.toBe(encode(['', 'ab', 'c', '', '']));
  });
});
