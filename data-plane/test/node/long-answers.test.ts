import { DataNode, type TestDatabase } from '../support/data-node.js';

const limitBytes = 10 * 1024 * 1024;

describe.each(['libsql', 'tursodb'] as const)('answers over the limit of 10 MiB, on %s', (engine) => {
  let node: DataNode;
  let database: TestDatabase;
  let startedAs: number;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_STATEMENT_DEADLINE_MS: '30000' });
    startedAs = node.pid;
    database = await node.createDatabase('long', engine);
    await node.run(
      database,
      'CREATE TABLE t (n INTEGER PRIMARY KEY, a TEXT)',
      "INSERT INTO t SELECT value, printf('%.1000c', 'x') FROM generate_series(1, 12000)",
    );
  });

  afterAll(async () => {
    expect(node.pid).toBe(startedAs);
    expect(node.logLines.filter((line) => line.includes('engine process ended'))).toEqual([]);
    await node.dispose();
  });

  async function post(path: string, body: unknown): Promise<string> {
    const { status, text } = await node.post(database, path, JSON.stringify(body));
    expect(status).toBe(200);
    return text;
  }

  it('a result is refused in a pipeline, by name', async () => {
    await expect(node.run(database, 'SELECT a FROM t')).rejects.toThrow(
      'RESPONSE_TOO_LARGE: the result is larger than 10485760 bytes',
    );
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['12000']]);
  });

  it('a write with such a result says that it took effect', async () => {
    await expect(node.run(database, 'UPDATE t SET n = n + 100000 RETURNING a')).rejects.toThrow(
      /RESPONSE_TOO_LARGE: .*what it wrote is not undone/,
    );
    expect(await node.run(database, 'SELECT min(n) FROM t')).toEqual([['100001']]);
  });

  it('the same result streams through a cursor, whole', async () => {
    const text = await post('v3/cursor', { batch: { steps: [{ stmt: { sql: 'SELECT a FROM t' } }] } });
    expect(text.length).toBeGreaterThan(limitBytes);
    const lines = text.split('\n').filter(Boolean);
    expect(lines.filter((line) => line.startsWith('{"type":"row"')).length).toBe(12_000);
    expect(lines.at(-1)).toBe('{"type":"replication_index","replication_index":null}');
  });

  it('the results of one pipeline count together', async () => {
    const execute = { type: 'execute', stmt: { sql: 'SELECT a FROM t LIMIT 4000' } };
    const body = JSON.parse(await post('v3/pipeline', { requests: [execute, execute, execute, execute] })) as {
      results: { type: string; error?: { code: string } }[];
    };
    expect(body.results.map(({ type, error }) => error?.code ?? type)).toEqual([
      'ok',
      'ok',
      'RESPONSE_TOO_LARGE',
      'RESPONSE_TOO_LARGE',
    ]);
  });

  // A text that is stored once and used many times makes a short request ask for a long answer.
  const count = 3_000;
  const notSql = `SELECT '${'x'.repeat(16_000)}`;
  const wide = `SELECT 1 AS ${'x'.repeat(16_000)}`;
  it.each([
    ['errors of statements', notSql, Array<unknown>(count).fill({ type: 'execute', stmt: { sql_id: 1 } })],
    [
      'errors of the steps of a batch',
      notSql,
      [{ type: 'batch', batch: { steps: Array<unknown>(count).fill({ stmt: { sql_id: 1 } }) } }],
    ],
    ['descriptions', wide, Array<unknown>(count).fill({ type: 'describe', sql_id: 1 })],
  ])('%s count as well', async (_what, sql, requests) => {
    const answer = await post('v3/pipeline', { requests: [{ type: 'store_sql', sql_id: 1, sql }, ...requests] });
    expect(answer.length).toBeLessThan(limitBytes + count * 300);
  });

  it('an error quotes no more than a part of a long text', async () => {
    const failure: unknown = await node
      .run(database, `SELECT '${'x'.repeat(5_000_000)}`)
      .catch((error: unknown) => error);
    expect((failure as Error).message.length).toBeLessThan(1_100);
  });
});
