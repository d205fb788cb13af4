/** Deletions and idle closes that race with requests, opens and folds. */
import { SteeredNode } from '../support/broken-node.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';

const settings = { TURSO_BYOC_COMMIT_WINDOW_MS: '1', TURSO_BYOC_ENGINE_PROCESSES: '1' };

async function remove(node: DataNode, database: TestDatabase): Promise<number> {
  return (await node.admin('DELETE', `/admin/v1/databases/${database.id}`)).status;
}

/** The code that a statement is refused with, or its rows. */
async function outcome(running: Promise<unknown[][]>): Promise<unknown> {
  return running.catch((error: unknown) => {
    if (error instanceof StatementError) return error.code;
    throw error;
  });
}

describe('a deletion', () => {
  let steered: SteeredNode;
  let node: DataNode;
  beforeAll(async () => {
    steered = await SteeredNode.start(settings);
    node = steered.node;
  });
  afterAll(async () => node.dispose());

  it('while requests run: each is answered or told that the database is gone', async () => {
    const deleted = await node.createDatabase('deleted');
    const other = await node.createDatabase('other');
    for (const database of [deleted, other]) await node.run(database, 'CREATE TABLE t (n)');
    const codes = new Set<unknown>();
    const writers = Array.from({ length: 8 }, async () => {
      for (;;) {
        const result = await outcome(node.run(deleted, 'INSERT INTO t VALUES (1)'));
        if (typeof result !== 'string') continue;
        codes.add(result);
        if (result === 'DATABASE_NOT_FOUND') return;
      }
    });
    for (let n = 0; n < 20; n++) await node.run(other, 'INSERT INTO t VALUES (1)');
    expect(await remove(node, deleted)).toBe(200);
    await Promise.all(writers);
    // One whose statement had committed when the database went is told that its outcome is unknown.
    codes.delete('OUTCOME_UNKNOWN');
    expect([...codes]).toEqual(['DATABASE_NOT_FOUND']);
    expect(await remove(node, deleted)).toBe(200);
    expect(await node.run(other, 'SELECT count(*) FROM t')).toEqual([['20']]);
  });

  it('while the database is being opened: the deletion wins', async () => {
    const database = await node.createDatabase('opening');
    await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    await node.end();
    await node.restart();
    const { held } = await steered.hold('log', 'getRange');
    const reading = outcome(node.run(database, 'SELECT n FROM t'));
    await held();
    const deleting = remove(node, database);
    await steered.release();
    expect(await deleting).toBe(200);
    expect([[['1']], 'DATABASE_NOT_FOUND']).toContainEqual(await reading);
    expect(await outcome(node.run(database, 'SELECT n FROM t'))).toBe('DATABASE_NOT_FOUND');
  });

  it.each(['/generation', 'manifests/'])('while a fold runs that is about to write %s: both end', async (key) => {
    const database = await node.createDatabase(key === '/generation' ? 'folding' : 'swinging');
    await node.run(database, 'CREATE TABLE t (padding)');
    const { held } = await steered.hold('data', 'put', key);
    await node.run(database, 'INSERT INTO t VALUES (zeroblob(1500000))');
    await held();
    const deleting = remove(node, database);
    // In the second case the deletion's own write waits too; which of the two is first is open then.
    if (key === 'manifests/') await held();
    else expect(await deleting).toBe(200);
    await steered.release();
    expect(await deleting).toBe(200);
    expect(await outcome(node.run(database, 'SELECT 1'))).toBe('DATABASE_NOT_FOUND');
    expect(await remove(node, database)).toBe(200);
  });

  it('and a creation of the same name, again and again under load: each database is found and holds its own rows', async () => {
    const rounds = 15;
    let current: TestDatabase | undefined;
    const codes = new Set<unknown>();
    let stop = false;
    const clients = Array.from({ length: 4 }, async () => {
      while (!stop) {
        const database = current;
        if (!database) {
          await fetch(`${node.url}/health`);
          continue;
        }
        const result = await outcome(node.run(database, 'SELECT DISTINCT id FROM t'));
        if (typeof result === 'string') codes.add(result);
        else if (JSON.stringify(result) !== JSON.stringify([[database.id]])) codes.add(JSON.stringify(result));
      }
    });
    try {
      for (let round = 0; round < rounds; round++) {
        const database = await node.createDatabase('same-name');
        await node.run(database, 'CREATE TABLE t (id)', `INSERT INTO t VALUES ('${database.id}')`);
        current = database;
        for (let n = 0; n < 5; n++) {
          await node.run(database, `INSERT INTO t VALUES ('${database.id}')`);
        }
        expect(await remove(node, database)).toBe(200);
      }
    } finally {
      stop = true;
      await Promise.all(clients);
    }
    // With the token of a database that is gone.
    expect([...codes].filter((code) => code !== 'DATABASE_NOT_FOUND')).toEqual([]);
  });
});

describe('a database that is closed for being idle', () => {
  it('races with requests, and every request is answered as if it had stayed open', async () => {
    const node = await DataNode.start({ ...settings, TURSO_BYOC_IDLE_CLOSE_MS: '100' });
    try {
      const databases = await Promise.all([0, 1, 2, 3].map(async (n) => node.createDatabase(`idle-${n}`)));
      await Promise.all(
        databases.map(async (database, index) => {
          await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)');
          const closesBefore = await node.counted('store_requests_total', 'operation="get"');
          // The pause goes through the moment of the close, in both directions.
          for (let n = 1; n <= 40; n++) {
            await node.run(database, `INSERT INTO t VALUES (${n})`);
            expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([[String(n)]]);
            await new Promise((resolve) => setTimeout(resolve, 60 + ((n * 37 + index * 11) % 160)));
          }
          expect(await node.counted('store_requests_total', 'operation="get"')).toBeGreaterThan(closesBefore);
        }),
      );
    } finally {
      await node.dispose();
    }
  });

  it('is not closed under an open transaction', async () => {
    const node = await DataNode.start({ ...settings, TURSO_BYOC_IDLE_CLOSE_MS: '100' });
    try {
      const database = await node.createDatabase('transaction');
      await node.run(database, 'CREATE TABLE t (n)');
      const execute = (sql: string) => ({ type: 'execute', stmt: { sql } });
      const begun = await node.pipeline(database, [execute('BEGIN'), execute('INSERT INTO t VALUES (1)')]);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      const ended = await node.pipeline(database, [execute('COMMIT'), { type: 'close' }], { baton: begun.body.baton });
      expect(ended.body.results.map(({ type }) => type)).toEqual(['ok', 'ok']);
      expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1']]);
    } finally {
      await node.dispose();
    }
  });
});
