/** What a load balancer is told by a node that cannot reach what it depends on, and that its process is left alone. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DataNode } from '../support/data-node.js';

describe('a data node', () => {
  let node: DataNode;
  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_DURABILITY_TIMEOUT_MS: '500' });
  });
  afterAll(async () => node.dispose());

  const said = async (path: string): Promise<[number, string | undefined]> => {
    const answer = await fetch(`${node.url}${path}`);
    return [answer.status, ((await answer.json()) as { message?: string }).message];
  };
  const isReadyAgain = async (): Promise<void> => {
    while ((await said('/ready'))[0] !== 200) await delay(100);
  };
  const ready = [200, undefined];

  it('is not ready while its log store does not answer, and lives', async () => {
    const database = await node.createDatabase('written');
    await node.run(database, 'CREATE TABLE t (n)');
    expect(await said('/ready')).toEqual(ready);
    const log = join(node.storeDirectory, 'log');
    await rename(log, `${log}.away`);
    // Nobody would have noticed yet; a write does.
    await node.run(database, 'INSERT INTO t VALUES (1)').catch(() => undefined);
    expect(await said('/ready')).toEqual([503, expect.stringContaining('the log store does not answer it')]);
    expect((await said('/health'))[0]).toBe(200);
    await rename(`${log}.away`, log);
    await isReadyAgain();
    expect(node.isRunning).toBe(true);
  });

  it('is not ready while its key service does not answer, and lives', async () => {
    const keyFile = join(node.keyDirectory, 'default.key');
    const key = await readFile(keyFile);
    await writeFile(keyFile, key.subarray(1));
    await node.createDatabase('refused').catch(() => undefined);
    expect(await said('/ready')).toEqual([503, expect.stringContaining('the key service does not answer it')]);
    expect((await said('/health'))[0]).toBe(200);
    await writeFile(keyFile, key);
    await isReadyAgain();
  });
});
