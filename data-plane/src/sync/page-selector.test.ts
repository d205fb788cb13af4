import fc from 'fast-check';
import roaring from 'roaring-wasm';
import { decodePageSelector, maxSelectorBytes } from './page-selector.js';

const { RoaringBitmap32 } = roaring;

function encoded(values: Iterable<number>, withRuns: boolean): Buffer {
  const bitmap = new RoaringBitmap32(values);
  if (withRuns) bitmap.runOptimize();
  const bytes = Buffer.from(bitmap.serialize('portable'));
  bitmap.dispose();
  return bytes;
}

const malformed = expect.objectContaining({ code: 'MALFORMED_REQUEST' });
/** Some numbers here and there, and some ranges: containers of all three kinds. */
const numbers = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 60 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 400_000 }), fc.integer({ min: 1, max: 20_000 })), { maxLength: 4 }),
    fc.array(fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 2, max: 5 })), { maxLength: 2 }),
  )
  .map(([single, ranges, sparse]) => {
    const all = new Set(single);
    for (const [start, length] of ranges) for (let at = start; at < start + length; at++) all.add(at);
    for (const [start, step] of sparse) for (let at = start; at < start + 50_000; at += step) all.add(at);
    return [...all];
  });

beforeAll(async () => {
  await roaring.roaringLibraryInitialize();
});

it('reads what CRoaring writes, as far as the database goes', () => {
  fc.assert(
    fc.property(numbers, fc.boolean(), fc.integer({ min: 1, max: 450_000 }), (values, withRuns, limit) => {
      const expected = values.filter((value) => value < limit).sort((a, b) => a - b);
      const pages = [...decodePageSelector(encoded(values, withRuns), limit)];
      expect(pages.length).toBe(expected.length);
      expect(pages.every((page, index) => page === (expected[index] as number) + 1)).toBe(true);
    }),
    { numRuns: 40 },
  );
});

it('is refused when it is cut off, goes on, or is too long, whatever it holds', () => {
  fc.assert(
    fc.property(numbers, fc.boolean(), fc.double({ min: 0, max: 0.999, noNaN: true }), (values, withRuns, part) => {
      const bytes = encoded(values, withRuns);
      expect(() => decodePageSelector(bytes.subarray(0, Math.floor(bytes.length * part)), 1_000)).toThrow(malformed);
      expect(() => decodePageSelector(Buffer.concat([bytes, Buffer.of(0)]), 1_000)).toThrow(malformed);
    }),
    { numRuns: 40 },
  );
  expect(() => decodePageSelector(Buffer.alloc(maxSelectorBytes + 1), 1_000)).toThrow(malformed);
});

it('never fails otherwise than by a named error, and makes nothing beyond the database', () => {
  const damaged = fc
    .tuple(numbers, fc.boolean(), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }))
    .map(([values, withRuns, changes]) => {
      const bytes = encoded(values, withRuns);
      // Most of what is believed stands at the beginning.
      for (const [at, value] of changes) bytes.writeUInt8(value, at % Math.min(bytes.length, 64));
      return bytes;
    });
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        try {
          for (const page of decodePageSelector(bytes, 77)) expect(page).toBeLessThanOrEqual(77);
        } catch (error) {
          expect(error).toEqual(malformed);
        }
      },
    ),
    { numRuns: 300 },
  );
});

it.each([
  ['containers out of order', [12346, 0, 2, 0, 1, 0, 0, 0]],
  ['the same container twice', [12346, 0, 2, 0, 3, 0, 3, 0]],
])('is refused with %s', (_what, words) => {
  const bytes = Buffer.alloc(words.length * 2 + 24);
  words.forEach((word, index) => bytes.writeUInt16LE(word, index * 2));
  expect(() => decodePageSelector(bytes, 1_000_000)).toThrow(/not in order/);
});

it('is refused with values, or runs, that are not in order', () => {
  const array = encoded([5, 9], false);
  array.writeUInt16LE(9, array.length - 4);
  expect(() => decodePageSelector(array, 100)).toThrow(/values that are not in order/);
  const runs = encoded(
    Array.from({ length: 200 }, (_, index) => (index < 100 ? index : index + 100)),
    true,
  );
  runs.writeUInt16LE(50, runs.length - 4);
  expect(() => decodePageSelector(runs, 1_000)).toThrow(/runs that are not in order/);
  const beyond = encoded(
    Array.from({ length: 100 }, (_, index) => index + 65_400),
    true,
  );
  beyond.writeUInt16LE(60_000, beyond.length - 2);
  expect(() => decodePageSelector(beyond, 1_000_000)).toThrow(malformed);
});
