import { setTimeout as delay } from 'node:timers/promises';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { SmallVolume } from '../support/small-volume.js';

const mebibyte = 2 ** 20;

/** Undefined, and a word why, where this user may not mount a file system. */
function volume(sizeBytes: number): SmallVolume | undefined {
  try {
    return SmallVolume.mount(sizeBytes);
  } catch (error) {
    expect(String(error)).toMatch(/permission|permitted|superuser|ENOENT|mount/i);
    console.warn(`not tested, because no file system can be mounted here: ${String(error)}`);
    return undefined;
  }
}

/** What a client is told: `ok`, or the code of the error. */
async function told(request: Promise<unknown>): Promise<string> {
  try {
    await request;
    return 'ok';
  } catch (error) {
    return error instanceof StatementError ? error.code : String(error);
  }
}

const numbers = async (node: DataNode, database: TestDatabase): Promise<Set<number>> =>
  new Set((await node.run(database, 'SELECT n FROM t')).map(([n]) => Number(n)));

const insert = async (node: DataNode, database: TestDatabase, n: number): Promise<string> =>
  told(node.run(database, `INSERT INTO t VALUES (${n}, randomblob(100000))`));

describe.each(['libsql', 'tursodb'] as const)('a full cache volume, on %s', (engine) => {
  it('refuses by name, loses nothing, and goes on when there is space', async () => {
    const cache = volume(32 * mebibyte);
    if (!cache) return;
    const node = await DataNode.start({ TURSO_BYOC_CACHE_DIR: cache.path });
    try {
      const startedAs = node.pid;
      const [busy, quiet, closed] = await Promise.all(
        ['busy', 'quiet', 'closed'].map(async (name) => node.createDatabase(name, engine)),
      );
      if (!busy || !quiet || !closed) throw new Error('three databases');
      for (const database of [busy, quiet]) {
        await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)', 'INSERT INTO t VALUES (0, 0)');
      }
      cache.fill(1.5 * mebibyte);
      const acknowledged = new Set([0]);
      const answers = new Set<string>();
      for (let n = 1; n <= 30; n++) {
        const answer = await insert(node, busy, n);
        answers.add(answer);
        if (answer === 'ok') acknowledged.add(n);
      }
      expect([...answers]).toEqual(['ok', 'LOCAL_DISK_FULL']);
      for (const restBytes of [128, 64, 48, 32, 16, 8, 4, 0].map((kibibytes) => kibibytes * 1024)) {
        cache.fill(restBytes);
        for (const database of [busy, quiet, closed]) {
          const said = await told(node.run(database, 'SELECT 1'));
          if (said === 'INTERNAL') throw new Error(node.logLines.slice(-12).join('\n'));
          expect(['ok', 'LOCAL_DISK_FULL']).toContain(said);
          const write = `CREATE TABLE u${restBytes} (a)`;
          expect(['ok', 'LOCAL_DISK_FULL']).toContain(await told(node.run(database, write)));
        }
      }
      expect(node.pid).toBe(startedAs);

      cache.free();
      expect(await numbers(node, busy)).toEqual(acknowledged);
      expect(await insert(node, busy, 100)).toBe('ok');
      expect(await numbers(node, quiet)).toEqual(new Set([0]));
      await node.run(closed, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)', 'INSERT INTO t VALUES (1, 1)');
      await node.end('SIGKILL');
      await node.restart();
      expect(await numbers(node, busy)).toEqual(acknowledged.add(100));
      expect(await numbers(node, closed)).toEqual(new Set([1]));
      expect(node.logLines.filter((line) => line.includes('"INTERNAL"'))).toEqual([]);
    } finally {
      await node.dispose();
      cache.unmount();
    }
  });
});

describe('a full store', () => {
  it('of the log: writes end with an unknown outcome in time, and become durable when there is space', async () => {
    const log = volume(16 * mebibyte);
    if (!log) return;
    const node = await DataNode.start({
      TURSO_BYOC_LOG_STORE: `file://${log.path}/log`,
      TURSO_BYOC_DURABILITY_TIMEOUT_MS: '500',
    });
    try {
      const [database, other] = [await node.createDatabase('mine'), await node.createDatabase('other')];
      for (const each of [database, other]) await node.run(each, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)');
      log.fill(mebibyte / 2);
      const answers: string[] = [];
      for (let n = 0; n < 12; n++) answers.push(await insert(node, database, n));
      const acknowledged = answers.flatMap((answer, n) => (answer === 'ok' ? n : []));
      expect(new Set(answers)).toEqual(new Set(['ok', 'OUTCOME_UNKNOWN']));
      // A read that would show what is not durable waits, too; one that shows nothing of it does not.
      expect(await told(node.run(database, 'SELECT count(*) FROM t'))).toBe('OUTCOME_UNKNOWN');
      expect(await told(node.run(other, 'SELECT count(*) FROM t'))).toBe('ok');

      log.free();
      let present = new Set<number>();
      for (let tries = 0; tries < 40 && present.size < answers.length; tries++) {
        present = await numbers(node, database).catch(() => present);
        await delay(100);
      }
      // Nothing was taken back: what was unknown is durable now.
      expect(present).toEqual(new Set(answers.keys()));
      expect(await insert(node, database, 100)).toBe('ok');
      await node.end('SIGKILL');
      await node.deleteCache();
      await node.restart();
      const found = await numbers(node, database);
      expect(acknowledged.filter((n) => !found.has(n))).toEqual([]);
      expect(found).toEqual(new Set([...answers.keys(), 100]));
    } finally {
      await node.dispose();
      log.unmount();
    }
  });

  it('of the log, when the node dies before there is space: what was acknowledged is there', async () => {
    const log = volume(16 * mebibyte);
    if (!log) return;
    const node = await DataNode.start({
      TURSO_BYOC_LOG_STORE: `file://${log.path}/log`,
      TURSO_BYOC_DURABILITY_TIMEOUT_MS: '500',
    });
    try {
      const database = await node.createDatabase('mine');
      await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)');
      log.fill(mebibyte / 2);
      const answers: string[] = [];
      for (let n = 0; n < 10; n++) answers.push(await insert(node, database, n));
      const acknowledged = answers.flatMap((answer, n) => (answer === 'ok' ? n : []));
      await node.end('SIGKILL');
      log.free();
      await node.restart();
      const found = await numbers(node, database);
      expect(acknowledged.filter((n) => !found.has(n))).toEqual([]);
      expect(acknowledged.length).toBeLessThan(answers.length);
    } finally {
      await node.dispose();
      log.unmount();
    }
  });

  it('of the data: what is open goes on, the rest is refused, and folds are made up for', async () => {
    const data = volume(16 * mebibyte);
    if (!data) return;
    // The node cannot renew its lease either: what is open goes on as long as that holds.
    const node = await DataNode.start({
      TURSO_BYOC_DATA_STORE: `file://${data.path}/data`,
      TURSO_BYOC_LEASE_MS: '60000',
    });
    try {
      const [open, closed] = [await node.createDatabase('open'), await node.createDatabase('closed')];
      await node.run(open, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)');
      await node.run(closed, 'CREATE TABLE t (n INTEGER PRIMARY KEY, a)');
      await node.end();
      await node.restart();
      await node.run(open, 'SELECT 1');
      data.fill(0);
      for (let n = 0; n < 20; n++) expect(await insert(node, open, n)).toBe('ok');
      expect(await told(node.run(closed, 'SELECT 1'))).toBe('STORE_UNAVAILABLE');
      await expect(node.createDatabase('new')).rejects.toThrow(/503.*STORE_UNAVAILABLE/);
      while (!node.logLines.some((line) => line.includes('fold failed'))) await delay(50);

      data.free();
      expect(await told(node.run(closed, 'SELECT 1'))).toBe('ok');
      const failed = node.logLines.filter((line) => line.includes('fold failed')).length;
      await delay(1_200);
      expect(await insert(node, open, 100)).toBe('ok');
      await node.end();
      await node.restart();
      expect(await numbers(node, open)).toEqual(new Set([...Array(20).keys(), 100]));
      expect(node.logLines.filter((line) => line.includes('fold failed')).length).toBe(failed);
    } finally {
      await node.dispose();
      data.unmount();
    }
  });
});
