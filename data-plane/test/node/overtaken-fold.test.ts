/** A fold whose database is given up and opened anew before the fold ends. */
import { SteeredNode } from '../support/broken-node.js';
import type { DataNode, TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { StoreSurgery } from '../support/store-surgery.js';

const settings = { TURSO_BYOC_COMMIT_WINDOW_MS: '1', TURSO_BYOC_ENGINE_PROCESSES: '1' };

function killEngines(node: DataNode): void {
  for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
}

/** The first column of the table, or the error. */
async function outcome(node: DataNode, database: TestDatabase): Promise<string> {
  return node.run(database, 'SELECT n FROM t').then(String, String);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}

describe('a fold that outlives the instance that began it', () => {
  it('takes nothing away that the next instance restores from', async () => {
    const steered = await SteeredNode.start(settings);
    const { node } = steered;
    try {
      const database = await node.createDatabase('overtaken');
      const surgery = await StoreSurgery.of(node);
      await node.run(database, 'CREATE TABLE t (n, padding)');
      await node.run(database, 'INSERT INTO t VALUES (1, zeroblob(1500000))');
      const generation = async (): Promise<number> => (await surgery.manifestOf(database)).generation?.number ?? 0;
      await until(async () => (await generation()) > 0);
      const { held } = await steered.hold('data', 'put', 'manifests/');
      const before = await generation();
      await node.run(database, 'INSERT INTO t VALUES (2, zeroblob(1500000))');
      await held();

      // The database cannot be restored for the next engine process, and is given up.
      const putBack = await surgery.remove('data', await surgery.objectsOf(database, /\/segments-\d+$/));
      killEngines(node);
      await until(async () => (await outcome(node, database)).includes('STORE_OBJECT_MISSING'));
      await putBack();
      // Opened from the manifest as it stands before the fold takes effect.
      expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1'], ['2']]);
      await steered.release();
      await until(async () => (await generation()) > before);
      // The node has heard of it, too.
      for (let n = 0; n < 20; n++) await fetch(`${node.url}/health`);

      killEngines(node);
      const outcomes = new Set<string>();
      await until(async () => {
        outcomes.add(await outcome(node, database));
        return outcomes.size > 1 || engineProcesses(node).length > 0;
      });
      outcomes.add(await outcome(node, database));
      expect([...outcomes].filter((each) => !each.includes('ENGINE_RESTARTED'))).toEqual(['1,2']);
    } finally {
      await node.dispose();
    }
  });
});
