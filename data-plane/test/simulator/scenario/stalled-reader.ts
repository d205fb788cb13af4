import { Stage } from './stage.js';

/**
 * The owner stands still past every lease, another node takes over and is written to; then reads reach the old owner, and
 * it goes on. Returns what is wrong: nothing, if it serves nothing stale.
 */
export async function playStalledReader(seed: number): Promise<readonly string[]> {
  const stage = new Stage({ seed });
  return stage.play(async (database, client) => {
    await stage.write(client, database, 3);
    const stalled = stage.owner(database);
    const { term } = stage.manifest(database);
    stalled.machine.freeze({ stopsMonotonic: false });
    await stage.until(() => stage.exists(`recoveries/${stalled.epoch}`));
    const elsewhere = stage.client(() => stage.cluster.alive.filter((node) => node !== stalled));
    // Read first: a write that was still passed on to the old owner would make its reads wait for the log.
    while (!('results' in (await stage.read(elsewhere, database)))) await stage.world.sleep(50);
    await stage.write(elsewhere, database, 3);
    if (stage.manifest(database).term <= term) stage.world.violate('nobody took over');
    const readers = Array.from({ length: 5 }, () => stage.client(() => [stalled]));
    const reads = readers.map(async (reader) => stage.read(reader, database));
    await stage.world.sleep(20);
    stalled.machine.thaw();
    await Promise.all(reads);
  });
}
