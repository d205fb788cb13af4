import { smallSettings } from '../node/node-settings.js';
import { Stage } from './stage.js';

/**
 * A database is asked for, and its garbage is to be collected, while it is being given up: both wait. The one that comes
 * second must not take the database for closed, and give it up with what the first one has written.
 */
export async function playCollectionWhileOpened(seed: number): Promise<readonly string[]> {
  const { policy } = smallSettings;
  const stage = new Stage({ seed, nodes: 1, settings: { policy: { ...policy, foldFragments: 1_000, historyMs: 0 } } });
  return stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const former = stage.owner(database);
    former.machine.die('killed by the schedule');
    // Its successor has the tail of another log, and gives the database up when nobody uses it.
    await stage.write(client, database, 3);
    const owner = stage.owner(database);
    const releasing = stage.hold(
      ({ operation, key }) =>
        operation === 'put' && key.startsWith('manifests/') && stage.manifest(database).generation !== undefined,
    );
    await releasing.caught;
    const writing = stage.tryToWrite(client, database);
    await stage.world.sleep(100);
    const collecting = owner.databases.collect(database.id);
    await stage.world.sleep(20);
    releasing.release();
    await Promise.all([writing, collecting]);
    await stage.write(client, database, 3);
    owner.machine.die('killed by the schedule');
  });
}
