import { Stage } from './stage.js';

const rounds = 12;

/**
 * Engine processes end between a commit and the answer to the request that made it: it has taken effect, and must not be
 * run again.
 */
export async function playCommittedAndKilled(seed: number): Promise<readonly string[]> {
  let kill = (): void => undefined;
  const stage = new Stage({ seed, nodes: 1, onHanded: () => kill() });
  return stage.play(async (database, client) => {
    let unknown = 0;
    for (let round = 0; round < rounds; round++) {
      const { engines } = stage.owner(database);
      kill = () => {
        kill = () => undefined;
        stage.world.schedule(0, () => engines.killHolderOf(database.id));
      };
      const done = await stage.tryToWrite(client, database);
      kill = () => undefined;
      if (!('results' in done) && done.kind === 'unknown') unknown += 1;
      await stage.world.sleep(500);
      await stage.read(client, database);
    }
    const found = await stage.appended(client, database);
    if (new Set(found).size < found.length) stage.world.violate(`a request took effect twice: ${found.join()}`);
    else stage.expect(unknown > 0, 'no engine process ended between a commit and its answer');
  });
}
