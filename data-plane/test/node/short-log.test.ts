/** A real node keeps its log short while databases with little in it are not folded, and loses nothing of them. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import type { NodeEpoch } from '../../src/identity.js';
import { readNodeRecord, type NodeRecord } from '../../src/ownership/node-record.js';
import { systemRuntime } from '../../src/runtime.js';
import { sharedLease, DataNode, type TestDatabase } from '../support/data-node.js';
import { storedKeys } from '../support/stored-file.js';

const settings = { TURSO_BYOC_ENGINE_PROCESSES: '1', TURSO_BYOC_COMMIT_WINDOW_MS: '1' };

async function nodeRecord(dataDirectory: string): Promise<NodeRecord> {
  const [key] = await storedKeys(dataDirectory, 'nodes/');
  const store = await LocalObjectStore.open(dataDirectory);
  try {
    return (await readNodeRecord(systemRuntime, store, key!.slice('nodes/'.length) as NodeEpoch)).record;
  } finally {
    await store.close();
  }
}

async function numbers(node: DataNode, database: TestDatabase): Promise<number[]> {
  return (await node.run(node.here(database), 'SELECT n FROM t ORDER BY n')).map(([n]) => Number(n));
}

it('packs what a quiet database has in a long log, deletes the log, and is recovered from both', async () => {
  const node = await DataNode.start({ ...sharedLease, ...settings });
  try {
    const [dataDirectory, logDirectory] = ['data', 'log'].map((name) => join(node.storeDirectory, name)) as [
      string,
      string,
    ];
    const quiet = await node.createDatabase('quiet');
    await node.run(quiet, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const busy: TestDatabase[] = [];
    for (let index = 0; index < 4; index++) busy.push(await node.createDatabase(`busy-${index}`));
    for (const database of busy) await node.run(database, 'CREATE TABLE t (n)');
    let isPacked = false;
    const written = await Promise.all(
      busy
        .map(async (database) => {
          let count = 0;
          for (; !isPacked; count++) await node.run(database, `INSERT INTO t VALUES (${count})`);
          return count;
        })
        .concat(
          (async () => {
            while ((await nodeRecord(dataDirectory)).packs.length === 0) await delay(100);
            isPacked = true;
            return 0;
          })(),
        ),
    );
    const { lowWaterPosition, packs } = await nodeRecord(dataDirectory);
    expect(lowWaterPosition).toBeGreaterThan(0);
    const positions = async (): Promise<number[]> =>
      (await storedKeys(logDirectory, 'log/')).map((key) => Number(key.slice(-12)));
    // The beginning stays.
    while ((await positions()).some((position) => position > 0 && position < lowWaterPosition)) await delay(50);
    expect(await storedKeys(dataDirectory, 'packs/')).toHaveLength(packs.length);

    const other = await node.startBeside();
    try {
      await node.end('SIGKILL');
      expect(await numbers(other, quiet)).toEqual([1]);
      for (const [index, database] of busy.entries()) {
        expect(await numbers(other, database)).toEqual(Array.from({ length: written[index]! }, (_, n) => n));
      }
    } finally {
      await other.end('SIGKILL');
    }
  } finally {
    await node.dispose();
  }
});
