import { smallSettings } from '../node/node-settings.js';
import { Stage } from './stage.js';

/** What ends the owner while it makes the branch. */
export type CutOff = 'fenced' | 'stopped';

/**
 * An owner that makes a branch loses the database in the middle, and its keys with it: its epoch is ended, or it stops and
 * waits no longer. The client must be told that it can try again, and nothing else.
 */
export async function playBranchCutOff(seed: number, by: CutOff): Promise<readonly string[]> {
  const stage = new Stage({ seed, settings: { policy: { ...smallSettings.policy, foldFragments: 3 } } });
  return stage.play(async (database, client) => {
    await stage.write(client, database, 8);
    await stage.until(() => stage.manifest(database).generation !== undefined);
    const owner = stage.owner(database);
    const held = stage.hold(
      ({ machine, operation, key }) => machine === owner.machine && operation === 'get' && key.endsWith('/generation'),
    );
    const patient = stage.client(() => (owner.machine.isAlive ? [owner] : stage.cluster.targets), 120_000);
    const asking = stage.population.branch(patient, database, 'branch');
    await held.caught;
    if (by === 'fenced') {
      const beats = stage.hold(({ machine, key }) => machine === owner.machine && key === `nodes/${owner.epoch}`);
      await stage.until(() => stage.exists(`recoveries/${owner.epoch}`));
      await stage.write(
        stage.client(() => stage.others(owner)),
        database,
        2,
      );
      beats.release();
      await stage.world.sleep(100);
    } else {
      void owner.stop();
      await stage.until(() => stage.exists(`recoveries/${owner.epoch}`));
    }
    held.release();
    stage.expect((await asking) !== undefined, 'the branch is made');
  });
}
