import { growing, soakRun } from './soak-run.js';
import { trend, type Trend } from './trend.js';

describe('a trend', () => {
  const noisy = (slope: number): number[] =>
    Array.from({ length: 60 }, (_, at) => 1_000 + slope * at + ((at * 7_919) % 101) + (at % 13 === 0 ? 5_000 : 0));

  test('is found among noise and outliers, and is not where there is none', () => {
    expect(trend(noisy(10)).growth).toBeGreaterThan(400);
    expect(trend(noisy(10)).risingPart).toBeGreaterThan(0.7);
    expect(Math.abs(trend(noisy(0)).growth)).toBeLessThan(60);
    expect(trend(noisy(0)).risingPart).toBeLessThan(0.6);
  });

  test('of something that grows is named', () => {
    const flat: Trend = { samples: 10, median: 100, growth: 0, risingPart: 0.5 };
    const leak: Trend = { samples: 10, median: 2e8, growth: 1e8, risingPart: 0.95 };
    const trends = { memoryBytes: flat, descriptors: flat, diskBytes: flat, latencyMs: flat };
    expect(growing(trends, { created: 10 })).toEqual([]);
    expect(growing({ ...trends, memoryBytes: leak }, { created: 10 })).toEqual(['memory']);
    expect(growing({ ...trends, diskBytes: leak }, { created: 10 })).toEqual(['disk']);
    expect(growing({ ...trends, diskBytes: leak }, { created: 10_000 })).toEqual([]);
  });
});

test('half a minute of everything at once leaves everything right', async () => {
  const { counts, wrong } = await soakRun({
    durationMs: 30_000,
    slots: 2,
    sampleEveryMs: 1_000,
    killEveryMs: 12_000,
    onProgress: () => undefined,
  });
  expect(wrong).toEqual([]);
  expect(counts.kills).toBeGreaterThan(0);
  const { created, transactions, reads, compared, pulls, pushes, branched, deleted } = counts;
  expect(Math.min(created, transactions, reads, compared, pulls, pushes, branched, deleted)).toBeGreaterThan(0);
});
