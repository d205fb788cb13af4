import { setTimeout as delay } from 'node:timers/promises';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';

const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n';

describe('when an engine process dies', () => {
  let node: DataNode;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_STATEMENT_DEADLINE_MS: '1000', TURSO_BYOC_COMMIT_WINDOW_MS: '5' });
  });

  afterAll(async () => node.dispose());

  it.each(['libsql', 'tursodb'] as const)(
    'a runaway statement on %s is stopped at its deadline and harms nobody',
    async (engine) => {
      const culprit = await node.createDatabase(`runaway-${engine}`, engine);
      const others: TestDatabase[] = [];
      for (let index = 0; index < 4; index++)
        others.push(await node.createDatabase(`beside-${engine}-${index}`, engine));
      for (const database of [culprit, ...others]) {
        await node.run(database, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)');
      }
      // The Turso engine has no recursive CTEs: there a cross join has no end in sight.
      const large = `INSERT INTO big SELECT value FROM generate_series(1, 3000)`;
      await node.run(culprit, 'CREATE TABLE big (a)', large);
      const runaway =
        engine === 'libsql' ? endless : 'SELECT count(*) FROM big a, big b, big c WHERE a.a + b.a + c.a = -1';

      let stop = false;
      const neighbours = others.map(async (database) => {
        let answered = 0;
        let unknown = 0;
        while (!stop) {
          try {
            await node.run(database, 'INSERT INTO t VALUES (2)');
            answered += 1;
          } catch (error) {
            // Committed in the process that the runaway took with it, and not answered yet: the one thing that cannot be hidden.
            if (!(error instanceof StatementError && error.code === 'OUTCOME_UNKNOWN')) throw error;
            unknown += 1;
          }
        }
        return { answered, unknown };
      });
      const failure: unknown = await node.run(culprit, runaway).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(StatementError);
      expect((failure as StatementError).message).toMatch(/STATEMENT_TIMEOUT.*deadline of 1000 ms/);

      await node.run(culprit, 'INSERT INTO t VALUES (3)');
      expect(await node.run(culprit, 'SELECT count(*) FROM t')).toEqual([['2']]);
      expect(await node.run(culprit, 'SELECT count(*) FROM big')).toEqual([['3000']]);
      stop = true;
      const met = await Promise.all(neighbours);
      for (const [index, { answered, unknown }] of met.entries()) {
        // Nothing was lost and nothing done twice, though some of these databases lost their engine process on the way.
        const [row] = await node.run(others[index] as TestDatabase, 'SELECT count(*) FROM t');
        const count = Number(row?.[0]);
        expect(count).toBeGreaterThanOrEqual(1 + answered);
        expect(count).toBeLessThanOrEqual(1 + answered + unknown);
        expect(unknown).toBeLessThanOrEqual(1);
      }
    },
  );

  it('a cross join of large tables is stopped too', async () => {
    const database = await node.createDatabase('cross-join');
    await node.run(
      database,
      'CREATE TABLE big (a)',
      'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 20000) INSERT INTO big SELECT x FROM n',
    );
    await expect(node.run(database, 'SELECT sum(a.a * b.a + c.a) FROM big a, big b, big c')).rejects.toThrow(
      /STATEMENT_TIMEOUT/,
    );
    expect(await node.run(database, 'SELECT count(*) FROM big')).toEqual([['20000']]);
  });

  it('kill -9 of engine processes under writes loses no acknowledged row and forks no history', async () => {
    const databases = await Promise.all([0, 1, 2, 3, 4, 5].map((index) => node.createDatabase(`killed-${index}`)));
    for (const database of databases) await node.run(database, 'CREATE TABLE t (n INTEGER PRIMARY KEY)');
    let stop = false;
    const writers = databases.map(async (database) => {
      const acknowledged: number[] = [];
      const unknown: number[] = [];
      for (let n = 1; !stop; n++) {
        try {
          await node.run(database, { sql: 'INSERT INTO t VALUES (?)', args: [{ type: 'integer', value: String(n) }] });
          acknowledged.push(n);
        } catch (error) {
          // Refusals must say that nothing happened or that it is unknown; nothing else may come through.
          expect((error as StatementError).code).toMatch(/^(ENGINE_RESTARTED|OUTCOME_UNKNOWN)$/);
          if ((error as StatementError).code === 'OUTCOME_UNKNOWN') unknown.push(n);
        }
      }
      return { acknowledged, unknown };
    });
    for (let round = 0; round < 5; round++) {
      await delay(150);
      for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
    }
    await delay(300);
    stop = true;
    const written = await Promise.all(writers);
    for (const [index, database] of databases.entries()) {
      const { acknowledged, unknown } = written[index]!;
      const present = new Set((await node.run(database, 'SELECT n FROM t')).map(([n]) => Number(n)));
      expect(acknowledged.filter((n) => !present.has(n))).toEqual([]);
      const expected = new Set([...acknowledged, ...unknown]);
      expect([...present].filter((n) => !expected.has(n))).toEqual([]);
    }
    // And the log of this epoch can be read back whole by the next one.
    await node.end('SIGKILL');
    await node.deleteCache();
    await node.restart();
    for (const [index, database] of databases.entries()) {
      const present = new Set((await node.run(database, 'SELECT n FROM t')).map(([n]) => Number(n)));
      expect(written[index]!.acknowledged.filter((n) => !present.has(n))).toEqual([]);
    }
  });
});
