/** Whether something that was sampled over time grows, told apart from noise. */

export interface Trend {
  readonly samples: number;
  readonly median: number;
  /** What it grew by over the time that was sampled, by the median of all slopes between two samples (Theil and Sen). */
  readonly growth: number;
  /** Part of the pairs of samples of which the later one is larger: about one half where nothing grows. */
  readonly risingPart: number;
}

/** `samples`: one value for each of equally spaced moments. Throws `RangeError` for fewer than three. */
export function trend(samples: readonly number[]): Trend {
  if (samples.length < 3) throw new RangeError('a trend of fewer than three samples');
  const slopes: number[] = [];
  let rising = 0;
  for (const [first, before] of samples.entries()) {
    for (const [second, after] of samples.entries()) {
      if (second <= first) continue;
      slopes.push((after - before) / (second - first));
      rising += after > before ? 1 : after === before ? 0.5 : 0;
    }
  }
  return {
    samples: samples.length,
    median: median(samples),
    growth: median(slopes) * (samples.length - 1),
    risingPart: rising / slopes.length,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
