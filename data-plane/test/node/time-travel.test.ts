/** Branches, undeletion and collection on real nodes. */
import { randomUUID } from 'node:crypto';
import { sharedLease, DataNode, type TestDatabase } from '../support/data-node.js';
import { StoreSurgery } from '../support/store-surgery.js';

const group = { id: '00000000-0000-4000-8000-000000000001', name: 'default' };

async function branch(node: DataNode, name: string, parent: TestDatabase, timeMs?: number): Promise<TestDatabase> {
  const id = randomUUID();
  const answer = await node.admin('POST', '/admin/v1/databases', {
    id,
    name,
    organization: 'test',
    group,
    engine: 'libsql',
    branch: { parent: parent.id, ...(timeMs !== undefined && { timeMs }) },
  });
  if (answer.status !== 200) throw new Error(`branch ${name}: ${answer.status} ${await answer.text()}`);
  return { id, name, url: `${node.url}/db/${name}-test/`, token: await node.token({ id }) };
}

describe('on one node', () => {
  let node: DataNode;
  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_COMMIT_WINDOW_MS: '1', TURSO_BYOC_UNDELETE_DAYS: '0' });
  });
  afterAll(async () => node.dispose());

  it('branches are made while the parent is written, whole transactions only', async () => {
    const parent = await node.createDatabase('bank');
    await node.run(parent, 'CREATE TABLE a (n)', 'CREATE TABLE b (n)', 'CREATE TABLE filler (v)');
    let isOver = false;
    const writers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await node.pipeline(parent, [
          {
            type: 'batch',
            batch: {
              steps: [
                'BEGIN',
                'INSERT INTO a VALUES (1)',
                'INSERT INTO b VALUES (1)',
                'INSERT INTO filler VALUES (randomblob(60000))',
                'COMMIT',
              ].map((sql) => ({ stmt: { sql } })),
            },
          },
        ]);
      }
    });
    const branches: { database: TestDatabase; atLeast: number }[] = [];
    for (let made = 0; made < 8; made++) {
      const atLeast = Number((await node.run(parent, 'SELECT count(*) FROM a'))[0]?.[0]);
      branches.push({ database: await branch(node, `bank-${made}`, parent), atLeast });
    }
    isOver = true;
    await Promise.all(writers);
    await node.end('SIGKILL');
    await node.restart();
    for (const { database, atLeast } of branches) {
      const [[a, b]] = (await node.run(database, 'SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)')) as [
        string[],
      ];
      expect(a).toBe(b);
      expect(Number(a)).toBeGreaterThanOrEqual(atLeast);
      expect(await node.run(database, 'INSERT INTO a VALUES (1)', 'PRAGMA integrity_check')).toEqual([['ok']]);
    }
  });

  it('a deleted database that cannot be brought back is collected, and its branch lives on', async () => {
    const parent = await node.createDatabase('gone');
    await node.run(parent, 'CREATE TABLE t (v)', 'INSERT INTO t VALUES (randomblob(3000000))');
    const child = await branch(node, 'left', parent);
    await node.admin('DELETE', `/admin/v1/databases/${parent.id}`);
    const undelete = await node.admin('POST', `/admin/v1/databases/${parent.id}/undelete`, {});
    expect([undelete.status, ((await undelete.json()) as { code: string }).code]).toEqual([410, 'UNDELETE_EXPIRED']);
    const stores = await StoreSurgery.of(node);
    const collect = async (id: string) => (await node.admin('POST', `/admin/v1/databases/${id}/collect`)).status;
    expect(await collect(parent.id)).toBe(200);
    expect(await node.run(child, 'SELECT length(v) FROM t')).toEqual([['3000000']]);
    await node.admin('DELETE', `/admin/v1/databases/${child.id}`);
    for (const { id } of [child, parent]) expect(await collect(id)).toBe(200);
    for (const database of [child, parent]) expect(await stores.objectsOf(database, /./)).toEqual([]);
    expect(await collect(randomUUID())).toBe(404);
  });
});

it('any node makes a branch of a database that another one has open, or says why not', async () => {
  const node = await DataNode.start({ ...sharedLease, TURSO_BYOC_COMMIT_WINDOW_MS: '1' });
  let other: DataNode | undefined;
  try {
    other = await node.startBeside();
    const parent = await node.createDatabase('shared');
    await node.run(parent, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    for (const [at, where] of [node, other].entries()) {
      const child = await branch(where, `twig-${at}`, parent);
      expect(await where.run(child, 'SELECT n FROM t')).toEqual([['1']]);
      await expect(branch(where, `none-${at}`, parent, 1)).rejects.toThrow(/400 .*RESTORE_POINT_NOT_FOUND/);
    }
    // Whoever owns it collects it.
    for (const where of [node, other]) {
      expect((await where.admin('POST', `/admin/v1/databases/${parent.id}/collect`)).status).toBe(200);
    }
    await node.admin('DELETE', `/admin/v1/databases/${parent.id}`);
    const undelete = await other.admin('POST', `/admin/v1/databases/${parent.id}/undelete`, {});
    expect(undelete.status).toBe(200);
    expect(await node.run(parent, 'SELECT n FROM t')).toEqual([['1']]);
  } finally {
    await other?.end('SIGKILL');
    await node.dispose();
  }
});
