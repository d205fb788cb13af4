/** A log in three zones of which any may be cut off, and one lost, at any moment of writing and of recovery. */
import { testSeeds } from '../seeded-random.js';
import { runQuorum } from './quorum-run.js';

const seeds = testSeeds(75);
const runsAtOnce = 25;
const parts = Array.from({ length: Math.ceil(seeds.length / runsAtOnce) }, (_, part) =>
  seeds.slice(part * runsAtOnce, (part + 1) * runsAtOnce),
);

describe('a log in three zones', () => {
  it.each(parts.map((part) => ({ part, first: part[0], last: part.at(-1) })))(
    'loses nothing, whatever is cut off (seeds $first to $last)',
    async ({ part }) => {
      for (const seed of part) expect({ seed, wrong: await runQuorum(seed) }).toEqual({ seed, wrong: [] });
    },
  );

  it('repeats exactly under the same seed', async () => {
    expect(await runQuorum(7)).toEqual(await runQuorum(7));
  });
});
