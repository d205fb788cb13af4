import fc from 'fast-check';
import { assertObjectKey } from './object-store.js';
import { objectPath, parseEntry, prefixDirectory } from './object-path.js';

const characters = Array.from('abyzABYZ019._=-');
const segment = fc
  .oneof(
    fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 12 }),
    fc.array(fc.constantFrom('a', 'A'), { minLength: 97, maxLength: 103 }),
    fc.array(fc.constantFrom('a', 'A'), { minLength: 197, maxLength: 203 }),
  )
  .map((letters) => letters.join(''))
  .filter((text) => text !== '.' && text !== '..');
const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));

describe('the path of an object', () => {
  it('can be turned back into the key, also when the file system ignores case', () => {
    fc.assert(
      fc.property(key, (text) => {
        assertObjectKey(text);
        const { object } = objectPath(text);
        expect(object).toBe(object.toLowerCase());
        expect(
          object
            .split('/')
            .map((name) => parseEntry(name)?.text)
            .join(''),
        ).toBe(text);
      }),
    );
  });

  it('has names that every file system can hold, and never is a path to somewhere else', () => {
    fc.assert(
      fc.property(key, (text) => {
        const { object, versions, directory } = objectPath(text);
        expect(versions).not.toBe(object);
        expect(object.startsWith(directory)).toBe(true);
        for (const name of [...object.split('/'), ...versions.split('/')]) {
          expect(name.length).toBeLessThan(256);
          expect(name).toMatch(/^[a-z0-9._=+-]*,[dovc]$/);
        }
      }),
    );
  });

  it('lies in the directory of each of its prefixes', () => {
    fc.assert(
      fc.property(key, key, (parent, child) => {
        const directory = prefixDirectory(`${parent}/`);
        expect(objectPath(`${parent}/${child}`).object.startsWith(`${directory}/`)).toBe(true);
      }),
    );
    expect(prefixDirectory('')).toBe('');
  });

  it.each(['a', 'A,o', 'a b,o', '+,o', '+A,o', ',x', '.DS_Store', 'a,o.tmp'])(
    'does not take %p for an entry',
    (name) => {
      expect(parseEntry(name)).toBeUndefined();
    },
  );
});
