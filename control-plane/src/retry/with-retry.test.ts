import { ManualClock } from '../../test/support/manual-clock.js';
import { withRetry } from './with-retry.js';

describe('withRetry', () => {
  const later = new Error('later');
  const failing = (times: number, error: Error) => {
    let calls = 0;
    const operation = async (): Promise<number> => {
      calls += 1;
      if (calls <= times) throw error;
      return calls;
    };
    return { operation, calls: () => calls };
  };
  const options = (clock: ManualClock, budgetMs = 10_000) => ({
    clock,
    budgetMs,
    isRetriable: (error: unknown) => error === later,
    random: () => 0.999_999,
  });

  it('repeats until it succeeds, ever more slowly', async () => {
    const clock = new ManualClock();
    expect(await withRetry(failing(7, later).operation, options(clock))).toBe(8);
    expect(clock.sleeps.map(Math.round)).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
  });

  it('throws at once what no repetition mends', async () => {
    const clock = new ManualClock();
    const attempt = failing(1, new Error('never'));
    await expect(withRetry(attempt.operation, options(clock))).rejects.toThrow('never');
    expect(attempt.calls()).toBe(1);
  });

  it('stays within its budget and throws the last error', async () => {
    const clock = new ManualClock();
    const begin = clock.now();
    await expect(withRetry(failing(1_000, later).operation, options(clock, 3_000))).rejects.toBe(later);
    expect(clock.now() - begin).toBeLessThanOrEqual(3_000);
    expect(clock.now() - begin).toBeGreaterThan(2_000);
  });

  it('ends when it is told to', async () => {
    const ending = new AbortController();
    ending.abort(new Error('stopped'));
    const clock = new ManualClock();
    await expect(withRetry(failing(1, later).operation, { ...options(clock), signal: ending.signal })).rejects.toThrow(
      'stopped',
    );
  });
});
