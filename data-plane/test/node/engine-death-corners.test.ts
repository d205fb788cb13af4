/** Engine processes that die at the worst moments: requests are answered or refused by name, and nothing is lost. */
import { setTimeout as delay } from 'node:timers/promises';
import { SteeredNode } from '../support/broken-node.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { StoreSurgery } from '../support/store-surgery.js';

const settings = { TURSO_BYOC_COMMIT_WINDOW_MS: '1' };
const oneEngine = { ...settings, TURSO_BYOC_ENGINE_PROCESSES: '1' };

function killEngines(node: DataNode): void {
  for (const pid of engineProcesses(node)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It ended by itself since it was found.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Creates a table with a row, and waits until they are in a generation: what the node logged itself it may remember. */
async function fillAndFold(node: DataNode, database: TestDatabase): Promise<void> {
  const surgery = await StoreSurgery.of(node);
  await node.run(database, 'CREATE TABLE t (n, padding)', 'INSERT INTO t VALUES (1, zeroblob(1500000))');
  while ((await surgery.manifestOf(database)).generation === undefined) await node.run(database, 'SELECT 1');
}

/** Runs a statement until it is no longer refused because an engine process ended. Everything else is thrown. */
async function runAgain(node: DataNode, database: TestDatabase, sql: string): Promise<unknown[][]> {
  for (;;) {
    try {
      return await node.run(database, sql);
    } catch (error) {
      if (!(error instanceof StatementError) || error.code !== 'ENGINE_RESTARTED') throw error;
    }
  }
}

describe('engine processes that die while 100 databases are being opened', () => {
  it('every database answers with what it holds', async () => {
    const node = await DataNode.start(settings);
    try {
      const databases: TestDatabase[] = [];
      for (let index = 0; index < 100; index++) databases.push(await node.createDatabase(`opened-${index}`));
      await Promise.all(
        databases.map(async (database, index) =>
          node.run(database, 'CREATE TABLE t (n)', `INSERT INTO t VALUES (${index})`),
        ),
      );
      await node.end('SIGKILL');
      await node.restart();
      const pid = node.pid;
      let answered = 0;
      const reading = databases.map(async (database) => {
        const rows = await runAgain(node, database, 'SELECT n FROM t');
        answered += 1;
        return rows;
      });
      for (const share of [0.05, 0.3, 0.6]) {
        while (answered < databases.length * share) await fetch(`${node.url}/health`);
        killEngines(node);
      }
      expect(await Promise.all(reading)).toEqual(databases.map((_, index) => [[String(index)]]));
      expect(node.pid).toBe(pid);
    } finally {
      await node.dispose();
    }
  });
});

describe('an engine process that dies', () => {
  let steered: SteeredNode;
  let node: DataNode;
  beforeAll(async () => {
    steered = await SteeredNode.start(oneEngine);
    node = steered.node;
  });
  afterAll(async () => node.dispose());

  it('while a database is restored for it: the database goes to the next one', async () => {
    const database = await node.createDatabase('restored');
    await fillAndFold(node, database);
    const { held } = await steered.hold('data', 'getRange');
    killEngines(node);
    const reading = node.run(database, 'SELECT n FROM t');
    await held();
    killEngines(node);
    await steered.release();
    expect(await reading).toEqual([['1']]);
  });

  it('with a database nobody uses: it is restored when it is asked for', async () => {
    const database = await node.createDatabase('unused');
    await fillAndFold(node, database);
    const reads = async (): Promise<number> =>
      node.counted('store_requests_total', 'operation="get', 'objects="objects"');
    const before = await reads();
    killEngines(node);
    while (!node.logLines.some((line) => line.includes(database.id) && line.includes('left its engine process'))) {
      await delay(20);
    }
    await delay(300);
    expect(await reads()).toBe(before);
    expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1']]);
    expect(await reads()).toBeGreaterThan(before);
  });

  it('twice in a row, with a commit that is not durable yet: history goes on where it was', async () => {
    const database = await node.createDatabase('twice');
    await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (1)');
    const put = await steered.hold('log', 'put');
    const writing = node.run(database, 'INSERT INTO t VALUES (2)').then(
      () => 'acknowledged',
      (error: unknown) => String(error),
    );
    await put.held();
    killEngines(node);
    const reading = node.run(database, 'SELECT max(n) FROM t');
    killEngines(node);
    await steered.release();
    expect(await writing).toBe('acknowledged');
    expect(await reading).toEqual([['2']]);
    killEngines(node);
    await runAgain(node, database, 'INSERT INTO t VALUES (3)');
    expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1'], ['2'], ['3']]);
  });

  it('while a fold runs: the fold goes on, and the database is restored beside it', async () => {
    const database = await node.createDatabase('folded');
    await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, padding)');
    const { held } = await steered.hold('data', 'put', '/generation');
    await node.run(database, 'INSERT INTO t VALUES (1, zeroblob(1500000))');
    await held();
    killEngines(node);
    await runAgain(node, database, 'INSERT INTO t VALUES (2, NULL)');
    await steered.release();
    await runAgain(node, database, 'INSERT INTO t VALUES (3, zeroblob(1500000))');
    killEngines(node);
    expect(await runAgain(node, database, 'SELECT n, length(padding) FROM t')).toEqual([
      ['1', '1500000'],
      ['2', null],
      ['3', '1500000'],
    ]);
    expect(await node.run(database, 'PRAGMA integrity_check')).toEqual([['ok']]);
  });

  it('before it could fold its local WAL: the node lives on', async () => {
    const database = await node.createDatabase('checkpointed');
    const beside = await node.createDatabase('beside');
    const pid = node.pid;
    await node.run(database, 'CREATE TABLE t (padding)');
    await node.run(beside, 'SELECT 1');
    const { held } = await steered.hold('log', 'put');
    // Enough for the local WAL to be folded; the engine does not get to that, being busy with another statement.
    const writing = node.run(database, 'INSERT INTO t VALUES (zeroblob(6000000))').catch((error: unknown) => error);
    const count =
      'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000000) SELECT count(*) FROM n';
    const counting = node.run(beside, count).catch((error: unknown) => error);
    await held();
    killEngines(node);
    await steered.release();
    await Promise.all([writing, counting]);
    expect(await runAgain(node, database, 'SELECT count(*) <= 1 FROM t')).toEqual([['1']]);
    expect(node.pid).toBe(pid);
    expect((await fetch(`${node.url}/health`)).status).toBe(200);
  });
});

describe('a database that cannot be restored', () => {
  it.each(['when it is opened', 'after its engine process died'])(
    'is refused by name %s, and works again once the object is repaired',
    async (when) => {
      const node = await DataNode.start(oneEngine);
      try {
        const broken = await node.createDatabase('broken');
        const sound = await node.createDatabase('sound');
        for (const database of [broken, sound]) await fillAndFold(node, database);
        const surgery = await StoreSurgery.of(node);
        if (when === 'when it is opened') {
          await node.end();
          await node.restart();
        }
        const [segments] = await surgery.objectsOf(broken, /\/segments-\d+$/);
        const { body } = (await surgery.data.get(segments!))!;
        const damaged = Buffer.from(body);
        damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1);
        await surgery.overwrite('data', segments!, damaged);
        killEngines(node);
        for (let attempt = 0; attempt < 3; attempt++) {
          await expect(runAgain(node, broken, 'SELECT n FROM t')).rejects.toThrow(/STORE_OBJECT_CORRUPT/);
        }
        expect(await runAgain(node, sound, 'SELECT n FROM t')).toEqual([['1']]);
        await surgery.overwrite('data', segments!, body);
        expect(await node.run(broken, 'SELECT n FROM t')).toEqual([['1']]);
      } finally {
        await node.dispose();
      }
    },
  );
});

describe('engine processes that die while the node stops', () => {
  it('the node stops in order, and nothing acknowledged is missing', async () => {
    const node = await DataNode.start(settings);
    try {
      const databases = await Promise.all([0, 1, 2, 3, 4, 5].map(async (n) => node.createDatabase(`stopped-${n}`)));
      await Promise.all(
        databases.map(async (database) => node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)')),
      );
      const ending = node.end('SIGTERM');
      killEngines(node);
      await ending;
      expect(await node.exit()).toEqual({ code: 0, signal: null });
      await node.restart();
      for (const database of databases) expect(await node.run(database, 'SELECT n FROM t')).toEqual([['1']]);
    } finally {
      await node.dispose();
    }
  });
});
