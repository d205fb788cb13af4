/** The smallest value that at least this part of the values do not exceed; NaN of none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN;
}

/** Median and 99th percentile of how long work takes, done so many times one after the other, in milliseconds. */
export async function latencies(
  times: number,
  work: (at: number) => Promise<unknown>,
): Promise<{ readonly p50: number; readonly p99: number }> {
  const took: number[] = [];
  for (let at = 0; at < times; at += 1) {
    const startedAtMs = performance.now();
    await work(at);
    took.push(performance.now() - startedAtMs);
  }
  return summary(took);
}

export function summary(took: readonly number[]): { readonly p50: number; readonly p99: number } {
  const rounded = (value: number): number => Math.round(value * 10) / 10;
  return { p50: rounded(percentile(took, 0.5)), p99: rounded(percentile(took, 0.99)) };
}
