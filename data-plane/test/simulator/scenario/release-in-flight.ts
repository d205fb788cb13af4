import { Stage } from './stage.js';

/** As many as are on their way to the log at once. With more the last ones wait, and are not sealed yet. */
const inFlight = 4;

/**
 * A database is handed over that nobody uses any more, while commits of it are on their way to the log: their clients have
 * given up. A node that stops cleanly makes everything durable that was committed, and its successor knows it.
 */
export async function playReleaseInFlight(seed: number): Promise<readonly string[]> {
  const stage = new Stage({ seed });
  return stage.play(async (database, client) => {
    await stage.write(client, database, 2);
    const owner = stage.owner(database);
    const held = stage.hold(
      ({ machine, operation, key }) => machine === owner.machine && operation === 'put' && key.startsWith('log/'),
    );
    const values = Array.from({ length: inFlight + (seed % 2 === 0 ? 2 : 0) }, (_, index) => `in-flight-${index}`);
    const writing = [];
    for (const value of values) {
      writing.push(
        stage.tryToWrite(
          stage.client(() => [owner]),
          database,
          value,
        ),
      );
      await stage.world.sleep(50);
    }
    const done = await Promise.all(writing);
    stage.expect(!done.some((each) => 'results' in each), 'no write was answered before it was stored');
    const stopping = owner.stop();
    await stage.world.sleep(1_500);
    held.release();
    await stopping;
    const found = await stage.appended(
      stage.client(() => stage.others(owner)),
      database,
    );
    for (const value of values) stage.expect(found.includes(value), `${value} was lost in a clean stop`);
  });
}
