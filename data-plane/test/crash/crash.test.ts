import { testSeeds } from '../seeded-random.js';
import { crashRun } from './crash-run.js';

// A small budget; `npm run crash-test` has the full one.
describe('a node that is killed at random moments', () => {
  it.each(testSeeds(1))(
    'loses no acknowledged transaction (seed %d)',
    async (seed) => {
      const result = await crashRun({ seed, databases: 12, kills: 3, tursodbEvery: 4 });
      expect(result.failures).toEqual([]);
      expect(result.acknowledged).toBeGreaterThan(0);
    },
    300_000,
  );
});
