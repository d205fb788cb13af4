/** What results say of rows that were written: the definitions of usage. */
import { EngineUnderTest } from './engine-under-test.js';

describe.each(['libsql', 'tursodb'] as const)('rows written, %s', (engineName) => {
  let engine: EngineUnderTest;
  let database: number;

  beforeAll(async () => {
    engine = new EngineUnderTest();
    database = await engine.open(engineName);
    await engine.run(database, [
      'PRAGMA foreign_keys = on',
      'CREATE TABLE t (id INTEGER PRIMARY KEY, x)',
      'CREATE TABLE log (x)',
      'CREATE TABLE parent (id INTEGER PRIMARY KEY)',
      'CREATE TRIGGER twice AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1); INSERT INTO log VALUES (2); END',
    ]);
  });

  afterAll(async () => engine.dispose());

  const metered = async (sql: string): Promise<[number, number]> => {
    const { results } = await engine.run(database, [sql]);
    const result = results[0]?.response?.result;
    if (!result) throw new Error(results[0]?.error?.message);
    return [result.rows_written, result.affected_row_count];
  };

  it.each<[string, number, number]>([
    ['INSERT INTO t VALUES (1, 1)', 3, 1],
    ['INSERT INTO t VALUES (2, 1), (3, 1)', 6, 2],
    ['INSERT INTO t VALUES (4, 1) RETURNING id', 3, 1],
    ['UPDATE t SET x = 5', 4, 4],
    ['UPDATE t SET x = 6 WHERE id = 99', 0, 0],
    ['INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET x = 3', 1, 1],
    ['INSERT OR REPLACE INTO t VALUES (1, 9)', 3, 1],
    ['DELETE FROM t WHERE id = 1', 0, 1],
    ['SELECT * FROM t', 0, 0],
    ['CREATE TABLE other (a)', 0, 0],
    ['SELECT 1', 0, 0],
  ])('%s: %i written, %i affected', async (sql, written, affected) => {
    expect(await metered(sql)).toEqual([written, affected]);
  });

  it('count also when the transaction is rolled back', async () => {
    const { results } = await engine.run(database, ['BEGIN', 'INSERT INTO log VALUES (1)', 'ROLLBACK']);
    expect(results.map(({ response }) => response?.result?.rows_written)).toEqual([0, 1, 0]);
  });

  it('and nothing is read by looking at the schema with a PRAGMA, or at a plan', async () => {
    const { results } = await engine.run(database, ['PRAGMA table_info(t)', 'EXPLAIN SELECT * FROM t', 'SELECT 1']);
    expect(results.map(({ response }) => response?.result?.rows_read)).toEqual([0, 0, 1]);
  });

  it('and all of it is told, a little later and before the database is closed, also of statements that failed', async () => {
    const from = engine.messages.length;
    const other = await engine.open(engineName);
    await engine.run(other, ['CREATE TABLE u (a UNIQUE)', 'INSERT INTO u VALUES (1), (2)', 'SELECT * FROM u']);
    await engine.run(other, ['INSERT INTO u VALUES (3), (1)', 'no statement']);
    const told = await engine.until(
      (message) => (message.type === 'usage' && message.database === other ? message : undefined),
      from,
    );
    expect(told).toMatchObject({ queries: 4, rowsRead: 2, rowsWritten: 2 });
    await engine.run(other, ['SELECT 1']);
    engine.send({ type: 'close', database: other });
    await engine.until((message) => (message.type === 'closed' && message.database === other ? true : undefined), from);
    const all = engine.messages.slice(from).filter((message) => message.type === 'usage' && message.database === other);
    const shapes = [{ shape: 'SELECT ?', count: 1, rowsRead: 1, rowsWritten: 0 }];
    expect(all).toEqual([told, { type: 'usage', database: other, queries: 1, rowsRead: 1, rowsWritten: 0, shapes }]);
    expect(engine.messages.findIndex((message) => message.type === 'closed')).toBeGreaterThan(
      engine.messages.indexOf(all[1]!),
    );
  });
});
