import fc from 'fast-check';
import { PageSet } from './page-set.js';

const limit = 300;
const page = fc.integer({ min: -5, max: limit + 20 });

it('holds what was added, within its limit, in order', () => {
  fc.assert(
    fc.property(fc.array(page), fc.array(fc.tuple(page, page)), (pages, ranges) => {
      const set = new PageSet(limit);
      const model = new Set<number>();
      for (const one of pages) set.add(one);
      for (const one of pages) model.add(one);
      for (const [first, last] of ranges) {
        set.addRange(first, last);
        for (let one = first; one <= last; one++) model.add(one);
      }
      const expected = [...model].filter((one) => one >= 1 && one <= limit).sort((a, b) => a - b);
      expect([...set]).toEqual(expected);
      expect([set.size, set.isEmpty]).toEqual([expected.length, expected.length === 0]);
      for (const one of [...pages, 0, 1, limit, limit + 1]) {
        expect(set.has(one)).toBe(model.has(one) && one >= 1 && one <= limit);
      }
    }),
  );
});

it('keeps only what another set has, too, also one of another length', () => {
  fc.assert(
    fc.property(fc.array(page), fc.array(page), fc.integer({ min: 1, max: limit }), (one, other, otherLimit) => {
      const [a, b] = [new PageSet(limit), new PageSet(otherLimit)];
      for (const each of one) a.add(each);
      for (const each of other) b.add(each);
      const expected = [...a].filter((each) => b.has(each));
      expect([...a.keepOnly(b)]).toEqual(expected);
    }),
  );
});
