import * as hrana from '@libsql/hrana-client';
import { DataNode, type TestDatabase } from '../support/data-node.js';

/** The official client of the protocol, told to speak version 3, which it does in Protobuf. */
describe.each(['libsql', 'tursodb'] as const)('Protobuf over HTTP, %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;
  let client: hrana.HttpClient;

  beforeAll(async () => {
    node = await DataNode.start();
    database = await node.createDatabase('proto', engine);
    client = hrana.openHttp(database.url, database.token, undefined, undefined, 3);
    await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b TEXT UNIQUE)');
  });

  afterAll(async () => {
    client.close();
    await node.dispose();
  });

  it('finds version 3, and values of every kind come back as they were sent', async () => {
    expect(await client.getVersion()).toBe(3);
    const stream = client.openStream();
    stream.intMode = 'bigint';
    const values = [null, 2n ** 63n - 1n, -(2n ** 63n), 1.5, -0.1, 'žluťoučký 🐎', '', new Uint8Array([0, 255, 7])];
    const marks = values.map(() => '?').join(',');
    const row = await stream.queryRow([`SELECT ${marks}`, values]);
    expect(Array.from({ length: values.length }, (_, index) => asPlain(row.row?.[index]))).toEqual(values.map(asPlain));
    stream.close();
  });

  it('statements, named arguments, batches with conditions, sequences, descriptions and errors', async () => {
    const stream = client.openStream();
    const inserted = await stream.run(['INSERT INTO t (a, b) VALUES (:a, :b)', { a: 1, b: 'one' }]);
    expect([inserted.affectedRowCount, inserted.lastInsertRowid]).toEqual([1, 1n]);
    await expect(stream.run(['INSERT INTO t (a, b) VALUES (?, ?)', [2, 'one']])).rejects.toMatchObject({
      code: 'SQLITE_CONSTRAINT',
      message: expect.stringContaining('UNIQUE constraint failed: t.b') as string,
    });
    const batch = stream.batch(false);
    const first = batch.step();
    const done = first.run(['INSERT INTO t (a, b) VALUES (?, ?)', [3, 'three']]);
    const skipped = batch
      .step()
      .condition(hrana.BatchCond.not(hrana.BatchCond.ok(first)))
      .queryValue('SELECT 1');
    const counted = batch.step().condition(hrana.BatchCond.ok(first)).queryValue('SELECT count(*) FROM t');
    await batch.execute();
    expect((await done)?.affectedRowCount).toBe(1);
    expect(await skipped).toBeUndefined();
    expect((await counted)?.value).toBe(2);
    await stream.sequence('CREATE TABLE u (x REAL); INSERT INTO u VALUES (1.5)');
    const described = await stream.describe('SELECT x, :p FROM u');
    expect(described).toMatchObject({ paramNames: [':p'], isExplain: false, isReadonly: true });
    expect(described.columns[0]).toEqual({ name: 'x', decltype: 'REAL' });
    stream.close();
  });

  it('a transaction with stored SQL goes on from request to request', async () => {
    const stream = client.openStream();
    const sql = stream.storeSql('INSERT INTO t (a) VALUES (?)');
    await stream.run('BEGIN');
    expect(await stream.getAutocommit()).toBe(false);
    await stream.run(new hrana.Stmt(sql).bindIndexes([7]));
    await stream.run('ROLLBACK');
    expect(await stream.getAutocommit()).toBe(true);
    expect((await stream.queryValue('SELECT count(*) FROM t WHERE a = 7')).value).toBe(0);
    stream.close();
  });

  it('a cursor brings the rows of each step, and its errors', async () => {
    const stream = client.openStream();
    const batch = stream.batch(true);
    const numbers =
      'WITH d (n) AS (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)) SELECT a.n + 10 * b.n + 100 * c.n AS n FROM d a, d b, d c';
    const rows = batch.step().query(numbers);
    const failing = batch.step().run('INSERT INTO nowhere VALUES (1)');
    const executed = batch.execute();
    failing.catch(() => undefined);
    await executed;
    expect((await rows)?.rows.length).toBe(1000);
    await expect(failing).rejects.toThrow(/no such table: nowhere/);
    stream.close();
  });

  it('what is refused as a whole is refused in JSON, with its status', async () => {
    const { status, text } = await node.post(database, 'v3-protobuf/pipeline', new Uint8Array([0x13]));
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([400, 'MALFORMED_REQUEST']);
    const answer = await fetch(`${database.url}v3-protobuf/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${database.token}` },
      body: new Uint8Array([0x12, 0x02, 0x42, 0x00]),
    });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-protobuf']);
  });
});

function asPlain(value: unknown): unknown {
  if (value instanceof ArrayBuffer) return [...new Uint8Array(value)];
  return value instanceof Uint8Array ? [...value] : value;
}
