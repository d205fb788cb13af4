/** A short, fixed budget of the simulator; `npm run simulate` runs more. */
import { simulate } from './run/simulation.js';
import { testSeeds } from '../seeded-random.js';

describe('the simulator', () => {
  it.each(testSeeds(25))('finds nothing wrong in seed %d', async (seed) => {
    const { violations, answered } = await simulate({ seed });
    expect(violations).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it('repeats a run event by event', async () => {
    const [first, second, other] = [
      await simulate({ seed: 7 }),
      await simulate({ seed: 7 }),
      await simulate({ seed: 8 }),
    ];
    expect(second).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
  });

  it('tells the story of a run without changing it', async () => {
    const told = await simulate({ seed: 7, keepsTrace: true });
    expect(told.digest).toBe((await simulate({ seed: 7 })).digest);
    expect(told.traceLines.some((line) => line.includes(' log put log/'))).toBe(true);
  });
});

describe('a node that dies at one of its requests to a store', () => {
  const quiet = { seed: 3, misfortune: false, workMs: 1_500 };

  it('loses nothing, whichever request it is', async () => {
    const { storeRequests, violations } = await simulate(quiet);
    expect(violations).toEqual([]);
    const step = Math.max(1, Math.floor(storeRequests / 12));
    for (let crashAtRequest = 1; crashAtRequest <= storeRequests; crashAtRequest += step) {
      for (const crashAfterSending of [false, true]) {
        const result = await simulate({ ...quiet, crashAtRequest, crashAfterSending });
        expect({ crashAtRequest, crashAfterSending, violations: result.violations }).toEqual({
          crashAtRequest,
          crashAfterSending,
          violations: [],
        });
        expect(result.nodes).toBeGreaterThan(1);
      }
    }
  });
});

describe('the simulator finds nothing wrong', () => {
  it.each(testSeeds(6))('with branches made and databases written (seed %d)', async (seed) => {
    const { violations, answered } = await simulate({ seed, workload: 'branches' });
    expect(violations).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it.each(testSeeds(6))('with garbage collected while writers stand still (seed %d)', async (seed) => {
    const { violations, answered } = await simulate({ seed, workload: 'history' });
    expect(violations).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it.each(testSeeds(6))('while databases get other data keys (seed %d)', async (seed) => {
    const { violations, answered } = await simulate({ seed, workload: 'keys' });
    expect(violations).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it.each(testSeeds(6))('with a log in three zones, of which one fails (seed %d)', async (seed) => {
    const { violations, answered } = await simulate({ seed, workload: 'zones' });
    expect(violations).toEqual([]);
    expect(answered).toBeGreaterThan(0);
  });

  it('and really makes branches, collects garbage, and gives other data keys', async () => {
    const branching = await simulate({ seed: 1, workload: 'branches', misfortune: false });
    expect(branching.branches).toBeGreaterThan(0);
    const collecting = await simulate({ seed: 1, workload: 'history', misfortune: false });
    expect(collecting.collected).toBeGreaterThan(0);
    const rekeying = await simulate({ seed: 1, workload: 'keys', misfortune: false });
    expect(rekeying.rekeyed).toBeGreaterThan(0);
  });
});
