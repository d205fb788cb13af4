/** Repeatable randomness for tests (mulberry32). */
export interface SeededRandom {
  /** An integer in `[0, bound)`. */
  below(bound: number): number;
  bytes(count: number): Buffer;
}

export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (bound: number): number => Math.floor((next() / 2 ** 32) * bound);
  return { below, bytes: (count) => Buffer.from(Array.from({ length: count }, () => below(256))) };
}

/** The seeds a test runs with: `count` of them, or the one in the environment variable `SEED`. */
export function testSeeds(count: number): number[] {
  const { SEED } = process.env;
  return SEED === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(SEED)];
}
