import { DataNode, type TestDatabase } from '../support/data-node.js';

/** libSQL builds and removes vector indexes while it compiles; what is only looked at must not be changed by that. */
describe('vector indexes', () => {
  let node: DataNode;
  let database: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start();
  });

  beforeEach(async () => {
    database = await node.createDatabase(`vectors${Math.random().toString(36).slice(2)}`);
    await node.run(
      database,
      'CREATE TABLE v (id INTEGER PRIMARY KEY, e F32_BLOB(2))',
      "INSERT INTO v VALUES (1, vector32('[9,9]')), (2, vector32('[1,2]'))",
    );
  });

  afterAll(async () => node.dispose());

  const create = 'CREATE INDEX i ON v (libsql_vector_idx(e))';
  const nearest = async (): Promise<unknown> =>
    node.run(database, "SELECT id FROM vector_top_k('i', vector32('[1,2]'), 1)");
  const schema = async (): Promise<unknown> => node.run(database, 'SELECT name FROM sqlite_schema ORDER BY name');
  const execute = (sql: string): object => ({ type: 'execute', stmt: { sql } });

  it.each([
    ['by itself', [execute(create)]],
    ['in a transaction', [execute('BEGIN'), execute(create), execute('COMMIT')]],
    ['in a script', [{ type: 'sequence', sql: `BEGIN; ${create}; COMMIT` }]],
  ])('one that is created %s holds the rows that are there', async (_how, requests) => {
    const { body } = await node.pipeline(database, [...requests, { type: 'close' }]);
    expect(body.results.map(({ type }) => type)).not.toContain('error');
    expect(await nearest()).toEqual([['2']]);
    await node.run(database, "INSERT INTO v VALUES (3, vector32('[1,2.001]'))");
    const all = "SELECT id FROM vector_top_k('i', vector32('[1,2]'), 3) ORDER BY id";
    expect(await node.run(database, all)).toEqual([['1'], ['2'], ['3']]);
  });

  it('describing, explaining, and a token that only reads change nothing', async () => {
    await node.run(database, create);
    const before = await schema();
    const token = await node.token({ id: database.id, a: 'ro' });
    const statements = [create.replace('INDEX i', 'INDEX j'), 'DROP INDEX i', 'DROP TABLE v'];
    for (const sql of statements) {
      const requests = [
        { type: 'describe', sql },
        execute(`EXPLAIN ${sql}`),
        execute(`EXPLAIN QUERY PLAN ${sql}`),
        execute(sql),
      ];
      const { body } = await node.pipeline(database, [...requests, { type: 'close' }], { token });
      expect(body.results.map(({ error }) => error?.code)).toEqual([
        undefined,
        'SQL_REFUSED',
        'SQL_REFUSED',
        'BLOCKED',
        undefined,
      ]);
      expect(body.results[0]?.response?.result).toMatchObject({ cols: [], is_readonly: false });
      expect(await schema()).toEqual(before);
    }
    expect(await nearest()).toEqual([['2']]);
    await node.run(database, 'DROP INDEX i');
    await expect(nearest()).rejects.toThrow();
    await expect(node.run(database, 'DROP TABLE nowhere')).rejects.toThrow(/no such table: nowhere/);
  });
});
