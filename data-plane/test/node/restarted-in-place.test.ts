/** A node that dies and is started again at the same address, as a container is in its pod. */
import { DataNode, type TestDatabase } from '../support/data-node.js';

it('passes nothing on to the process before it, and answers everything when that one’s lease is over', async () => {
  const node = await DataNode.start({ TURSO_BYOC_LEASE_MS: '2000', TURSO_BYOC_BEAT_MS: '500' });
  try {
    const databases: TestDatabase[] = [];
    for (let index = 0; index < 40; index++) databases.push(await node.createDatabase(`kept-${index}`));
    await Promise.all(databases.map(async (database) => node.run(database, 'CREATE TABLE t (n)')));
    await node.end('SIGKILL');
    await node.restart();
    await Promise.all(databases.map(async (database) => node.run(database, 'INSERT INTO t VALUES (1)')));
    const rows = await Promise.all(databases.map(async (database) => node.run(database, 'SELECT n FROM t')));
    expect(rows).toEqual(databases.map(() => [['1']]));
    expect(await node.counted('forwarded_requests_total')).toBe(0);
  } finally {
    await node.dispose();
  }
});
