/** Nearest-rank percentile, `fraction` in (0, 1]. Throws `RangeError` without values. */
export function percentile(values: ArrayLike<number>, fraction: number): number {
  const sorted = Float64Array.from(values).sort();
  const value = sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)];
  if (value === undefined) throw new RangeError('a percentile needs at least one value');
  return value;
}

/** The middle value, or the mean of the two in the middle. Throws `RangeError` without values. */
export function median(values: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort();
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError('a median needs at least one value');
  return (upper + lower) / 2;
}

/** The geometric mean of ratios, and the interval that holds it with 95 % confidence. */
export interface RatioInterval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom; beyond the table it is close to the normal's. */
const studentT = [
  12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
];
const normal = 1.96;

/** Of paired measurements; the logarithms are taken for normally distributed. Throws `RangeError` for less than two. */
export function ratioInterval(ratios: readonly number[]): RatioInterval {
  if (ratios.length < 2) throw new RangeError('an interval needs at least two ratios');
  const logarithms = ratios.map((ratio) => Math.log(ratio));
  const mean = logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length;
  const variance = logarithms.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logarithms.length - 1);
  const half = (studentT[ratios.length - 2] ?? normal) * Math.sqrt(variance / ratios.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}
