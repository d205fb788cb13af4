import { newDatabaseId } from '@turso-byoc/data-plane/identity.js';
import { organization } from '../node/simulated-node.js';
import { garbageSettings, historyMs, makeHistory } from './garbage-settings.js';
import { Stage } from './stage.js';

/** Longer than a pin without a branch is kept. */
const longMs = 4_000_000;

/**
 * An owner stalls when it has pinned what a branch begins with and is about to create the branch's manifest. Another node
 * takes over, and gives the pin up when it is old; then the manifest lands. The branch must not come to be: what it would
 * need is deleted.
 */
export async function playLateBranchManifest(seed: number): Promise<readonly string[]> {
  const stage = new Stage({ seed, settings: garbageSettings });
  return stage.play(async (database, client) => {
    await makeHistory(stage, database, client);
    const owner = stage.owner(database);
    const id = newDatabaseId('libsql', client.machine.nowMs(), (count) => client.random.bytes(count));
    const manifest = stage.hold(
      ({ machine, operation, key }) =>
        machine === owner.machine && operation === 'put' && key.endsWith(id) && key.startsWith('manifests/'),
    );
    const group = { id: 'group', name: 'default' };
    const asked = {
      id,
      name: 'branch',
      organization,
      group,
      engine: 'libsql' as const,
      branch: { parent: database.id },
    };
    const branching = owner.databases.create(asked).then(
      () => true,
      () => false,
    );
    const { key } = await manifest.caught;
    owner.machine.freeze({ stopsMonotonic: false });
    await stage.until(() => stage.exists(`recoveries/${owner.epoch}`));
    const elsewhere = stage.client(() => stage.others(owner));
    await stage.write(elsewhere, database, 4);
    await stage.world.sleep(2 * historyMs);
    const successor = stage.owner(database);
    successor.machine.stepWallClock(longMs);
    // The tombstone of the branch is created by another machine, and is not held up.
    const giveUp = successor.databases.collect(database.id);
    await stage.world.sleep(1_000);
    manifest.release();
    await giveUp;
    await stage.write(elsewhere, database, 4);
    await stage.world.sleep(2 * historyMs);
    for (let round = 0; round < 2; round++) await stage.collect(database);
    owner.machine.thaw();
    const wasMade = await Promise.race([branching, stage.deathOf(owner).then(() => false)]);
    stage.expect(!wasMade, 'the branch was said to be made');
    const standing = stage.cluster.dataStore.contents.get(key)?.body.toString() ?? '';
    stage.expect(standing.includes('deletedAtMs'), 'a tombstone stands where the branch would');
    for (const { machine } of stage.cluster.alive) machine.die('killed by the schedule');
  });
}
