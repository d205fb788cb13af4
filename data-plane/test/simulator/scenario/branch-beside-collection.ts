import type { DatabaseHistory } from '../check/database-history.js';
import type { StoreRequest } from '../store/store-link.js';
import { garbageSettings, historyMs, makeHistory } from './garbage-settings.js';
import { Stage } from './stage.js';

/** Which of the two stands still in the middle while the other one runs from its beginning to its end. */
export type HeldUp = 'the branch' | 'the collection';

export interface Interleaving {
  readonly heldUp: HeldUp;
  /** The number of its request to the data store, from 1, that is held up. */
  readonly request: number;
  /** The branch begins at a moment whose generation the collection is about to give up. */
  readonly isEarlier: boolean;
}

/**
 * A branch is made by the owner of a database while it collects the database's garbage; one of the two is held up at one
 * of its requests until the other has ended. Then all nodes die, and the branch and its parent must read whole from the
 * store. Returns what is wrong, and whether the work had so many requests.
 */
export async function playBranchBesideCollection(
  seed: number,
  { heldUp, request, isEarlier }: Interleaving,
): Promise<{ readonly violations: readonly string[]; readonly wasHeldUp: boolean }> {
  const stage = new Stage({ seed, nodes: 1, settings: garbageSettings });
  let wasHeldUp = false;
  const violations = await stage.play(async (database, client) => {
    await makeHistory(stage, database, client);
    const owner = stage.owner(database);
    const timeMs = isEarlier ? Math.max(...database.times.all) - 1 : undefined;
    await stage.write(client, database, 3);
    // What is the last generation now becomes garbage with the next one, once it is old enough.
    await stage.world.sleep(2 * historyMs);
    await stage.write(client, database, 4);

    const branch = async (): Promise<DatabaseHistory | undefined> =>
      stage.population.branch(client, database, 'branch', {
        ...(timeMs !== undefined && { timeMs }),
        isKept: () => false,
      });
    const collect = async (): Promise<void> => owner.databases.collect(database.id);
    const [slow, quick] = heldUp === 'the branch' ? [branch, collect] : [collect, branch];
    const counted = { requests: 0 };
    const held = stage.holdNext((each) => isWork(each) && ++counted.requests === request);
    const slowly = slow();
    await Promise.race([held.caught.then(() => (wasHeldUp = true)), slowly]);
    // Nothing of the other one may be held up instead.
    if (!wasHeldUp) held.release();
    await quick();
    held.release();
    await slowly;

    // The next collections find what the first one had to leave.
    await stage.write(client, database, 4);
    await stage.world.sleep(2 * historyMs);
    for (let round = 0; round < 2; round++) await stage.collect(database);
    owner.machine.die('killed by the schedule');
  });
  return { violations, wasHeldUp };
}

/** Plays every third interleaving of one kind, so that three seeds in a row play all. */
export async function playBranchesBesideCollection(
  seed: number,
  kind: Pick<Interleaving, 'heldUp' | 'isEarlier'>,
): Promise<readonly string[]> {
  for (let request = 1 + (seed % 3); ; request += 3) {
    const { violations, wasHeldUp } = await playBranchBesideCollection(seed, { ...kind, request });
    if (violations.length > 0) return violations.map((violation) => `request ${request}: ${violation}`);
    if (!wasHeldUp) return [];
  }
}

function isWork({ store, key }: StoreRequest): boolean {
  return store === 'data' && /^(names|manifests|objects)\//.test(key);
}
