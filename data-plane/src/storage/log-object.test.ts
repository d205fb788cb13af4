import { bitFlips, truncations } from '../../test/damage.js';
import { databaseA, databaseB, epochA } from '../../test/storage/sample-database.js';
import { decodeIndex, encodeLogObject, encodeSeal, indexBytes, isSeal } from './log-object.js';

const parts = [
  { database: databaseA, term: 3, firstCommit: 7, lastCommit: 9, bytes: Buffer.from('fragment of A') },
  { database: databaseB, term: 2 ** 40, firstCommit: 2 ** 45, lastCommit: 2 ** 45, bytes: Buffer.from('B') },
];
const { bytes, index } = encodeLogObject(parts);
const damaged = expect.objectContaining({
  code: expect.stringMatching(/^STORE_(OBJECT_CORRUPT|FORMAT_UNKNOWN)$/),
  message: expect.stringContaining('log/here'),
});

describe('log object', () => {
  it('can be read by its index, and says where each fragment lies', () => {
    expect(decodeIndex('log/here', bytes)).toEqual(index);
    expect(index.map(({ offset, length }) => bytes.subarray(offset, offset + length).toString())).toEqual([
      'fragment of A',
      'B',
    ]);
    expect(decodeIndex('log/here', bytes.subarray(0, indexBytes(2)))).toEqual(index);
    expect(isSeal(bytes)).toBe(false);
  });

  it('says how many bytes are needed, or refuses, at every length', () => {
    for (const short of truncations(bytes.subarray(0, indexBytes(2)))) {
      if (short.length < 12) expect(() => decodeIndex('log/here', short)).toThrow(damaged);
      else expect(decodeIndex('log/here', short)).toBe(indexBytes(2));
    }
  });

  it('never believes an index with a flipped bit', () => {
    for (const altered of bitFlips(bytes.subarray(0, indexBytes(2)))) {
      let read: unknown;
      try {
        read = decodeIndex('log/here', altered);
      } catch (error) {
        expect(error).toEqual(damaged);
        continue;
      }
      expect(read).toBeGreaterThan(altered.length);
    }
  });

  it.each([
    ['log object', bytes],
    ['seal', encodeSeal(epochA)],
  ])('tells a %s of another release from damage', (_what, known) => {
    const later = Buffer.concat([known.subarray(0, 7), Buffer.from('2'), known.subarray(8)]);
    expect(isSeal(later)).toBe(false);
    expect(() => decodeIndex('log/here', later)).toThrow(expect.objectContaining({ code: 'STORE_FORMAT_UNKNOWN' }));
  });

  it('is not a seal, nor a seal a log object', () => {
    const seal = encodeSeal(epochA);
    expect(isSeal(seal)).toBe(true);
    expect(() => decodeIndex('log/here', seal)).toThrow(damaged);
    for (const altered of bitFlips(seal.subarray(0, 8))) {
      expect(isSeal(altered)).toBe(false);
      expect(() => decodeIndex('log/here', Buffer.concat([altered, seal.subarray(8)]))).toThrow(damaged);
    }
    for (const short of truncations(seal.subarray(0, 8))) {
      expect(isSeal(short)).toBe(false);
      expect(() => decodeIndex('log/here', short)).toThrow(damaged);
    }
  });
});
