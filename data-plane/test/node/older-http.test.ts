import { DataNode, type TestDatabase } from '../support/data-node.js';

describe.each(['libsql', 'tursodb'] as const)('the routes of older clients, %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('older', engine);
    await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT)');
  });

  afterAll(async () => node.dispose());

  async function post(path: string, body: unknown): Promise<[number, any]> {
    const { status, text } = await node.post(database, path, JSON.stringify(body));
    return [status, JSON.parse(text)];
  }

  async function dump(of: TestDatabase, query = ''): Promise<string> {
    const answer = await fetch(`${of.url}dump${query}`, { headers: { authorization: `Bearer ${of.token}` } });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain']);
    return answer.text();
  }

  it('/v1/execute runs one statement, and answers its error as the error of the request', async () => {
    const stmt = { sql: 'INSERT INTO t (a) VALUES (?) RETURNING a', args: [{ type: 'integer', value: '7' }] };
    const [status, { result }] = await post('v1/execute', { stmt });
    expect([status, result.rows, result.affected_row_count]).toEqual([200, [[{ type: 'integer', value: '7' }]], 1]);
    expect(await post('v1/execute', { stmt: { sql: 'SELECT * FROM nowhere' } })).toMatchObject([
      400,
      { code: 'SQLITE_ERROR', message: expect.stringContaining('no such table: nowhere') },
    ]);
    expect(await post('v1/execute', { stmt: { sql: 'SELEC' } })).toMatchObject([400, { code: 'SQL_PARSE_ERROR' }]);
    expect(await post('v1/execute', {})).toMatchObject([400, { code: 'MALFORMED_REQUEST' }]);
    // Nothing goes on: what was begun is over.
    expect((await post('v1/execute', { stmt: { sql: 'BEGIN IMMEDIATE' } }))[0]).toBe(200);
    expect((await post('v1/execute', { stmt: { sql: 'DELETE FROM t' } }))[0]).toBe(200);
  });

  it('/v1/batch runs steps under their conditions', async () => {
    const steps = [
      { stmt: { sql: 'INSERT INTO t (a) VALUES (1)' } },
      { stmt: { sql: 'INSERT INTO nowhere VALUES (1)' }, condition: { type: 'ok', step: 0 } },
      { stmt: { sql: 'SELECT 1' }, condition: { type: 'ok', step: 1 } },
    ];
    const [status, { result }] = await post('v1/batch', { batch: { steps } });
    expect([status, result.step_results[0].affected_row_count, result.step_results[2]]).toEqual([200, 1, null]);
    expect(result.step_errors[1].message).toContain('no such table');
  });

  it('/dump gives the same database again, values to the bit', async () => {
    await node.run(
      database,
      'DELETE FROM t',
      "INSERT INTO t (id, a, b) VALUES (1, 9223372036854775807, 'it''s 🐎'), (2, -9223372036854775807 - 1, ''), (3, 0.1, NULL)",
      "INSERT INTO t (id, a) VALUES (4, 9e999), (5, -9e999), (6, 3.0), (7, x'00ff'), (8, 1e-310)",
      "INSERT INTO t (id, b) VALUES (9, CAST(x'610062' AS TEXT))",
      'CREATE TABLE "odd "" name" ("a ""b" TEXT, rowid2)',
      `INSERT INTO "odd "" name" VALUES ('x', 1)`,
      'CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v)',
      'INSERT INTO counted (id, v) VALUES (41, 1)',
      'DELETE FROM counted',
      'CREATE INDEX by_a ON t (a)',
      'CREATE VIEW seen AS SELECT a FROM t',
      'CREATE TRIGGER on_t AFTER INSERT ON t BEGIN UPDATE counted SET v = 2; END',
    );
    if (engine === 'libsql') {
      await node.run(
        database,
        'CREATE TABLE generated (a, b AS (a + 1) STORED, PRIMARY KEY (a)) WITHOUT ROWID',
        'INSERT INTO generated (a) VALUES (5)',
        'CREATE VIRTUAL TABLE search USING fts5(text)',
        "INSERT INTO search (rowid, text) VALUES (10, 'the quick brown fox')",
        'CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)',
        'INSERT INTO boxes VALUES (1, 0.5, 2.5)',
        'CREATE TABLE vectors (id INTEGER PRIMARY KEY, e F32_BLOB(2))',
        "INSERT INTO vectors VALUES (1, vector32('[1,2]'))",
        'CREATE INDEX vectors_idx ON vectors (libsql_vector_idx(e))',
      );
    }
    const text = await dump(database);
    expect(text.endsWith('COMMIT;\n')).toBe(true);
    const copy = await node.createDatabase(`copy-${engine}`, engine);
    const { body } = await node.pipeline(copy, [{ type: 'sequence', sql: text }, { type: 'close' }]);
    expect(body.results[0]?.error).toBeUndefined();
    expect(await dump(copy)).toBe(text);
    const hex = 'SELECT id, typeof(a), hex(CAST(b AS BLOB)), quote(a) FROM t ORDER BY id';
    expect(await node.run(copy, hex)).toEqual(await node.run(database, hex));
    expect(await node.run(copy, "SELECT seq FROM sqlite_sequence WHERE name = 'counted'")).toEqual([['41']]);
    if (engine === 'libsql') {
      expect(await node.run(copy, "SELECT rowid FROM search WHERE search MATCH 'quick'")).toEqual([['10']]);
      expect(await node.run(copy, 'SELECT id FROM boxes WHERE x0 > 0.4')).toEqual([['1']]);
      expect(await node.run(copy, "SELECT id FROM vector_top_k('vectors_idx', vector32('[1,2]'), 1)")).toEqual([['1']]);
    }
  });

  it('/dump keeps the ids of rows when it is asked to', async () => {
    const sparse = await node.createDatabase('sparse', engine);
    await node.run(sparse, 'CREATE TABLE s (a)', 'INSERT INTO s (rowid, a) VALUES (5, 1)');
    expect(await dump(sparse)).toContain('INSERT INTO "s"("a") VALUES(1);');
    expect(await dump(sparse, '?preserve_row_ids=true')).toContain('INSERT INTO "s"("rowid","a") VALUES(5,1);');
  });

  it('/dump without a right to read is refused', async () => {
    expect((await fetch(`${database.url}dump`)).status).toBe(401);
  });

  it('/beta/listen is not offered', async () => {
    const answer = await fetch(`${database.url}beta/listen?table=t`);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([404, 'ROUTE_NOT_FOUND']);
  });
});
