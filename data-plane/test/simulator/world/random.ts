import { seededRandom, type SeededRandom } from '../../seeded-random.js';

/** Repeatable randomness with the distributions that the simulator draws from. */
export class Random {
  readonly #source: SeededRandom;

  constructor(seed: number) {
    this.#source = seededRandom(seed);
  }

  /** An integer in `[0, bound)`. */
  below(bound: number): number {
    return this.#source.below(bound);
  }

  /** An integer in `[low, high]`. */
  between(low: number, high: number): number {
    return low + this.#source.below(high - low + 1);
  }

  /** Uniform in [0, 1). */
  fraction(): number {
    return this.#source.below(2 ** 31) / 2 ** 31;
  }

  /** True in `percent` of a hundred cases. */
  chance(percent: number): boolean {
    return this.fraction() * 100 < percent;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; at += 4) {
      const word = this.#source.below(2 ** 32);
      for (let index = 0; index < 4 && at + index < count; index++) bytes[at + index] = (word >>> (8 * index)) & 0xff;
    }
    return bytes;
  }

  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T {
    const picked = choices[this.below(choices.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  }

  /** A time that is `medianMs` in the middle and `spread` times that at about one in six. */
  logNormalMs(medianMs: number, spread: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.fraction())) * Math.cos(2 * Math.PI * this.fraction());
    return medianMs * Math.exp(normal * Math.log(spread));
  }

  /** A stream of its own: what is drawn from it does not move what is drawn from this one. */
  fork(): Random {
    return new Random(this.#source.below(2 ** 32));
  }
}
