import { median, percentile, ratioInterval } from './statistics.js';

describe('percentile', () => {
  it('takes the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.01, 0.5, 0.99, 1].map((fraction) => percentile(values, fraction))).toEqual([1, 50, 99, 100]);
  });

  it('gives the largest value when there are few', () => {
    expect(percentile([3, 1, 2], 0.99)).toBe(3);
    expect(percentile([7], 0.5)).toBe(7);
  });

  it('leaves its input as it is', () => {
    const values = [3, 1, 2];
    percentile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });

  it('refuses to speak about nothing', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe('median', () => {
  it('is the middle, or between the two in the middle', () => {
    expect(median([10, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 4])).toBe(3);
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('ratioInterval', () => {
  it('holds the geometric mean in its middle, as a table of Student says', () => {
    const { mean, low, high } = ratioInterval([1, 4]);
    expect(mean).toBeCloseTo(2);
    expect(Math.log(high / mean)).toBeCloseTo(12.71 * Math.log(2), 1);
    expect(low * high).toBeCloseTo(mean * mean);
    const many = ratioInterval(Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 1.1 : 1.2)));
    expect(many.high - many.low).toBeLessThan(0.03);
    expect(ratioInterval([1.5, 1.5, 1.5])).toEqual({ mean: 1.5, low: 1.5, high: 1.5 });
  });

  it('refuses to speak about one', () => {
    expect(() => ratioInterval([1])).toThrow(RangeError);
  });
});
