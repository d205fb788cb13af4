/** Schedules that chance comes by too rarely, each with a few seeds. */
import { testSeeds } from '../../seeded-random.js';
import { allSchedules } from './all-schedules.js';

describe.each(allSchedules.map(({ name, play }) => [name, play] as const))('%s', (_, play) => {
  it.each(testSeeds(3))('harms nothing (seed %d)', async (seed) => {
    expect(await play(seed)).toEqual([]);
  });
});
