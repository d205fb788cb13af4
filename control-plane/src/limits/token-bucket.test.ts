import { TokenBucket } from './token-bucket.js';

describe('TokenBucket', () => {
  it('lets through what is allowed at once, then one after the other', () => {
    const bucket = new TokenBucket(60, 0);
    for (let call = 0; call < 60; call += 1) expect(bucket.take(0)).toBeUndefined();
    expect(bucket.take(0)).toBe(1_000);
    expect(bucket.take(400)).toBe(600);
    expect(bucket.take(1_000)).toBeUndefined();
    expect(bucket.take(1_000)).toBe(1_000);
  });

  it('saves up no more than a minute, and takes no harm from a clock that goes back', () => {
    const bucket = new TokenBucket(2, 0);
    expect([bucket.take(3_600_000), bucket.take(3_600_000)]).toEqual([undefined, undefined]);
    expect(bucket.take(3_600_000)).toBe(30_000);
    expect(bucket.take(0)).toBe(30_000);
  });
});
