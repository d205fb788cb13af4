import { garbageSettings, makeHistory } from './garbage-settings.js';
import { Stage } from './stage.js';

const historyMs = 60_000;

/** Garbage is collected of a database whose whole history is still to be kept: every moment of it can be gone back to. */
export async function playKeptHistory(seed: number): Promise<readonly string[]> {
  const policy = { ...garbageSettings.policy, historyMs };
  const stage = new Stage({ seed, settings: { policy } });
  return stage.play(async (database, client) => {
    await makeHistory(stage, database, client);
    const { all } = database.times;
    const timeMs = all[client.random.below(all.length - 4)] ?? 0;
    await stage.collect(database);
    const branch = await stage.population.branch(client, database, 'branch', { timeMs });
    stage.expect(branch !== undefined, 'a branch of a moment that is kept');
    await stage.world.sleep(2 * historyMs);
    await stage.write(client, database, 4);
    await stage.collect(database);
    const late = await stage.population.branch(client, database, 'late', { timeMs, isKept: () => false });
    stage.expect(late === undefined, 'what is older than the history is given up');
  });
}
