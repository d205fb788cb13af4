import { smallSettings } from '../node/node-settings.js';
import { Stage } from './stage.js';

/** What is written before the branch is asked for are seven commits, its accounts included. */
const foldFragments = 12;

/**
 * A database without a generation is branched, and gets its first one while the branch is under way: at each of the
 * branch's requests to the data store in turn. What was in the log when the branch was asked for is in an archive then.
 */
export async function playBranchWhileFolded(seed: number): Promise<readonly string[]> {
  for (let request = 1; ; request++) {
    const { violations, wasHeldUp } = await play(seed, request);
    if (violations.length > 0) return violations.map((violation) => `request ${request}: ${violation}`);
    if (!wasHeldUp) return [];
  }
}

async function play(seed: number, request: number): Promise<{ violations: readonly string[]; wasHeldUp: boolean }> {
  const { policy } = smallSettings;
  const stage = new Stage({
    seed,
    nodes: 1,
    settings: { policy: { ...policy, foldFragments, idleCloseMs: 600_000 } },
  });
  let wasHeldUp = false;
  const violations = await stage.play(async (database, client) => {
    await stage.write(client, database, 4);
    const timeMs = Math.max(...database.times.all);
    await stage.write(client, database, 2);
    const counted = { requests: 0 };
    const held = stage.holdNext(
      ({ store, key }) =>
        store === 'data' && /^(names|manifests|objects)\//.test(key) && ++counted.requests === request,
    );
    const ofNow = seed % 2 === 0;
    const branching = stage.population.branch(client, database, 'branch', ofNow ? {} : { timeMs });
    await Promise.race([held.caught.then(() => (wasHeldUp = true)), branching]);
    if (!wasHeldUp) held.release();
    const writer = stage.client();
    // As many as make the fold due: nothing is left in the log when it is done.
    await stage.write(writer, database, foldFragments - 7);
    await stage.until(() => stage.manifest(database).generation !== undefined);
    // Until the owner knows of it, too.
    await stage.world.sleep(200);
    held.release();
    stage.expect((await branching) !== undefined, 'the branch is made');
  });
  return { violations, wasHeldUp };
}
