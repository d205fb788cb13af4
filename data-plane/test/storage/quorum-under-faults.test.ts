/** A log in three zones of which any may be cut off, and one lost, at any moment of writing and of recovery. */
import { testSeeds } from '../seeded-random.js';
import { runQuorum } from './quorum-run.js';

describe('a log in three zones', () => {
  it.each(testSeeds(10).map((tens) => [tens]))(
    'loses nothing, whatever is cut off (seeds from %i·25)',
    async (part) => {
      for (let seed = (part - 1) * 25 + 1; seed <= part * 25; seed++) {
        expect({ seed, wrong: await runQuorum(seed) }).toEqual({ seed, wrong: [] });
      }
    },
  );

  it('repeats exactly under the same seed', async () => {
    expect(await runQuorum(7)).toEqual(await runQuorum(7));
  });
});
