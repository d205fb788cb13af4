/**
 * Several real nodes on one store: any of them takes any request, one of them serves each database, and any may stop, die
 * or stand still at any moment.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DataNode, type TestDatabase } from '../support/data-node.js';

/** A longer lease than by default: on a busy machine a node is slow, and must not be taken for dead. */
const settings = {
  TURSO_BYOC_ENGINE_PROCESSES: '1',
  TURSO_BYOC_COMMIT_WINDOW_MS: '1',
  TURSO_BYOC_LEASE_MS: '6000',
};

let nodes: DataNode[];
beforeEach(() => {
  nodes = [];
});
afterEach(async () => {
  const [first, ...others] = nodes;
  for (const node of others) await node.end('SIGKILL');
  await first?.dispose();
});

async function start(count: number, environment: Record<string, string> = {}): Promise<DataNode[]> {
  const first = await DataNode.start({ ...settings, ...environment });
  nodes.push(first);
  while (nodes.length < count) nodes.push(await first.startBeside());
  return nodes;
}

/** Waits until `node` serves requests for the database itself. */
async function opens(node: DataNode, count = 1): Promise<boolean> {
  return (await node.counted('open_databases')) >= count;
}

async function insert(node: DataNode, database: TestDatabase, n: number): Promise<void> {
  await node.run(node.here(database), {
    sql: 'INSERT INTO t VALUES (?)',
    args: [{ type: 'integer', value: String(n) }],
  });
}

async function numbers(node: DataNode, database: TestDatabase): Promise<number[]> {
  const rows = await node.run(node.here(database), 'SELECT n FROM t ORDER BY n');
  return rows.map(([n]) => Number(n));
}

/** What the nodes wrote of what happened. */
function logged(node: DataNode, message: string): number {
  return node.logLines.filter((line) => line.includes(message)).length;
}

describe('several nodes', () => {
  it("take each other's requests; one of them serves a database", async () => {
    const [a, b, c] = (await start(3)) as [DataNode, DataNode, DataNode];
    const database = await a.createDatabase('shared');
    await a.run(database, 'CREATE TABLE t (n)');
    const sent: number[] = [];
    for (let n = 0; n < 30; n++) {
      await insert([a, b, c][n % 3]!, database, n);
      sent.push(n);
    }
    for (const node of [a, b, c]) expect(await numbers(node, database)).toEqual(sent);
    expect(await a.counted('open_databases')).toBe(1);
    expect(await b.counted('open_databases')).toBe(0);
    expect(await c.counted('open_databases')).toBe(0);
  });

  it('continue a stream that was opened through another one', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const database = await a.createDatabase('streams');
    await a.run(database, 'CREATE TABLE t (n)');
    const begun = await b.pipeline(b.here(database), [
      { type: 'execute', stmt: { sql: 'BEGIN' } },
      { type: 'execute', stmt: { sql: 'INSERT INTO t VALUES (7)' } },
    ]);
    expect(begun.body.baton).toEqual(expect.any(String));
    const ended = await a.pipeline(database, [{ type: 'execute', stmt: { sql: 'COMMIT' } }, { type: 'close' }], {
      baton: begun.body.baton,
    });
    expect(ended.body.results.map(({ type }) => type)).toEqual(['ok', 'ok']);
    expect(await numbers(b, database)).toEqual([7]);
  });

  it('stream long answers through each other', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const database = await a.createDatabase('long');
    await a.run(database, 'CREATE TABLE t (n, padding)');
    await a.run(database, 'INSERT INTO t SELECT value, hex(zeroblob(1000)) FROM generate_series(1, 20000)');
    const body = JSON.stringify({
      batch: { steps: [{ stmt: { sql: 'SELECT n, padding FROM t ORDER BY n' } }] },
    });
    const answer = await b.post(b.here(database), 'v3/cursor', body);
    expect(answer.status).toBe(200);
    expect(answer.text.split('\n').filter((line) => line.includes('"type":"row"'))).toHaveLength(20_000);
  });

  it('one is killed: the others serve its databases, and lose nothing', async () => {
    const [a, b, c] = (await start(3)) as [DataNode, DataNode, DataNode];
    const databases: TestDatabase[] = [];
    for (let index = 0; index < 6; index++) databases.push(await a.createDatabase(`mourned-${index}`));
    const acknowledged = databases.map(() => [] as number[]);
    for (const database of databases) await a.run(database, 'CREATE TABLE t (n)');
    const writing = databases.map(async (database, index) => {
      for (let n = 0; ; n++) {
        await insert(n % 2 === 0 ? b : a, database, n);
        acknowledged[index]!.push(n);
      }
    });
    const stopped = Promise.all(writing.map(async (writer) => writer.catch(() => undefined)));
    while (acknowledged.some((numbers) => numbers.length < 5)) await delay(10);
    await a.end('SIGKILL');
    await stopped;
    for (const [index, database] of databases.entries()) {
      const present = await numbers(index % 2 === 0 ? b : c, database);
      expect(acknowledged[index]!.filter((n) => !present.includes(n))).toEqual([]);
      expect(new Set(present).size).toBe(present.length);
      await insert(c, database, 1_000_000);
      expect(await numbers(b, database)).toEqual([...present, 1_000_000]);
    }
    // Rendezvous hashing shares them out.
    expect((await b.counted('open_databases')) + (await c.counted('open_databases'))).toBe(databases.length);
  });

  it('one is asked to stop: no request fails, and it ends cleanly', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const databases: TestDatabase[] = [];
    for (let index = 0; index < 6; index++) databases.push(await a.createDatabase(`handed-${index}`));
    for (const database of databases) await a.run(database, 'CREATE TABLE t (n)');
    const failures: unknown[] = [];
    const acknowledged = databases.map(() => [] as number[]);
    let isOver = false;
    const writers = databases.map(async (database, index) => {
      for (let n = 0; !isOver; n++) {
        try {
          await insert(b, database, n);
          acknowledged[index]!.push(n);
        } catch (error) {
          failures.push(error);
        }
      }
    });
    const transaction = (async () => {
      // A transaction that is under way while the node hands over is finished there.
      const [database] = databases;
      const begun = await b.pipeline(b.here(database!), [{ type: 'execute', stmt: { sql: 'BEGIN' } }]);
      await delay(1_000);
      return b.pipeline(
        b.here(database!),
        [
          { type: 'execute', stmt: { sql: 'SELECT count(*) FROM t' } },
          { type: 'execute', stmt: { sql: 'COMMIT' } },
          { type: 'close' },
        ],
        { baton: begun.body.baton },
      );
    })();
    await delay(300);
    await a.end('SIGTERM');
    expect((await transaction).body.results.map(({ type }) => type)).toEqual(['ok', 'ok', 'ok']);
    await delay(300);
    isOver = true;
    await Promise.all(writers);
    expect(failures).toEqual([]);
    expect(await a.exit()).toEqual({ code: 0, signal: null });
    for (const [index, database] of databases.entries())
      expect(await numbers(b, database)).toEqual(acknowledged[index]);
    expect(logged(b, 'node condemned')).toBe(0);
  });

  it('one stands still past its lease and goes on: it acknowledges nothing and serves nothing stale', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const database = await a.createDatabase('frozen');
    await a.run(database, 'CREATE TABLE t (n)');
    await insert(a, database, 1);
    process.kill(a.pid, 'SIGSTOP');
    // Sent to the node while it stands still: it finds them when it goes on.
    const late = [insert(a, database, 2), a.run(database, 'SELECT n FROM t'), a.run(database, 'SELECT 1')].map(
      async (request) =>
        request.then(
          () => 'answered',
          () => 'refused',
        ),
    );
    // The first attempt is passed on to the node that stands still; nobody knows what it does with it.
    while (
      !(await insert(b, database, 3).then(
        () => true,
        () => false,
      ))
    )
      await delay(50);
    process.kill(a.pid, 'SIGCONT');
    const answers = await Promise.all(late);
    expect(answers[0]).toBe('refused');
    expect(answers[1]).toBe('refused');
    expect(await a.exit()).toEqual({ code: 70, signal: null });
    expect(await numbers(b, database)).toEqual([1, 3]);
  });

  it('a database is deleted through a node that does not own it, and its name is used again', async () => {
    const [a, b] = (await start(2)) as [DataNode, DataNode];
    const old = await a.createDatabase('renewed');
    await a.run(old, 'CREATE TABLE t (n)');
    await insert(b, old, 1);
    expect((await b.admin('DELETE', `/admin/v1/databases/${old.id}`)).status).toBe(200);
    const young = await b.createDatabase('renewed');
    await b.run(young, 'CREATE TABLE t (n)');
    // This node remembers the name for the database that is gone.
    await insert(a, young, 2);
    expect(await numbers(a, young)).toEqual([2]);
    await expect(a.run(a.here(old), 'SELECT 1')).rejects.toThrow();
  });

  it('one that joins gets its share of what nobody uses', async () => {
    const [a] = (await start(1)) as [DataNode];
    const databases: TestDatabase[] = [];
    for (let index = 0; index < 24; index++) databases.push(await a.createDatabase(`share-${index}`));
    for (const database of databases) {
      await a.run(database, 'CREATE TABLE t (n)');
      await insert(a, database, 1);
    }
    expect(await opens(a, databases.length)).toBe(true);
    const b = await a.startBeside();
    nodes.push(b);
    // Each of 24 goes to the new node with one chance in two.
    while (await opens(a, databases.length)) await delay(50);
    let moved = 0;
    for (const database of databases) {
      await insert(a, database, 2);
      expect(await numbers(b, database)).toEqual([1, 2]);
    }
    moved = await b.counted('open_databases');
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(databases.length);
    expect((await a.counted('open_databases')) + moved).toBe(databases.length);
  });
});
