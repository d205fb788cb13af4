import type { DatabaseHistory } from '../check/database-history.js';
import { smallSettings } from '../node/node-settings.js';
import type { Client } from '../workload/client.js';
import type { Stage } from './stage.js';

/** How long a database can go back in time on a stage where garbage is to come about. */
export const historyMs = 2_000;

/** Folds often, keeps little history, and never closes a database by itself. */
export const garbageSettings = {
  policy: { ...smallSettings.policy, foldFragments: 3, historyMs, idleCloseMs: 600_000 },
};

/** Several generations, all but the last of which a collection gives up once that one is old enough. */
export async function makeHistory(stage: Stage, database: DatabaseHistory, client: Client): Promise<void> {
  for (let generation = 0; generation < 4; generation++) {
    await stage.write(client, database, 4);
    await stage.world.sleep(historyMs);
  }
}
