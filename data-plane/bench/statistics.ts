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
