import { garbageSettings, historyMs, makeHistory } from './garbage-settings.js';
import { Stage } from './stage.js';

/**
 * An owner stalls with the deletions of a collection under way. Another node takes over and makes a branch; then the
 * deletions land, and the old owner goes on. The branch and its parent must read whole.
 */
export async function playLateDeletion(seed: number): Promise<readonly string[]> {
  const stage = new Stage({ seed, settings: garbageSettings });
  return stage.play(async (database, client) => {
    await makeHistory(stage, database, client);
    const owner = stage.owner(database);
    const deletions = stage.hold(
      ({ machine, operation, key }) =>
        machine === owner.machine && operation === 'delete' && key.startsWith('objects/'),
    );
    const collecting = owner.databases.collect(database.id).catch(() => undefined);
    await deletions.caught;
    owner.machine.freeze({ stopsMonotonic: false });
    await stage.until(() => stage.exists(`recoveries/${owner.epoch}`));
    const elsewhere = stage.client(() => stage.others(owner));
    const branch = await stage.population.branch(elsewhere, database, 'branch');
    stage.expect(branch !== undefined, 'a branch is made');
    await stage.write(elsewhere, database, 4);
    deletions.release();
    await stage.world.sleep(1_000);
    owner.machine.thaw();
    await Promise.race([collecting, stage.deathOf(owner)]);
    await stage.world.sleep(2 * historyMs);
    await stage.collect(database);
    for (const { machine } of stage.cluster.alive) machine.die('killed by the schedule');
  });
}
