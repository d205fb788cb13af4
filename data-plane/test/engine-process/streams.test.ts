import { EngineUnderTest, type PipelineAnswer, type SendOptions } from './engine-under-test.js';

describe.each(['libsql', 'tursodb'] as const)('streams of a %s database', (engineName) => {
  let engine: EngineUnderTest;

  beforeAll(() => {
    engine = new EngineUnderTest();
  });

  afterAll(async () => {
    await engine.dispose();
  });

  const codes = ({ results }: PipelineAnswer): (string | undefined)[] => results.map(({ error }) => error?.code);

  async function openWithTable(limits: Parameters<EngineUnderTest['open']>[1] = {}): Promise<number> {
    const database = await engine.open(engineName, limits);
    await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)']);
    return database;
  }

  /** Runs statements in a stream and gives the baton of the next request. */
  async function inStream(database: number, sqls: string[], options: SendOptions = {}): Promise<string> {
    const answer = await engine.run(database, sqls, options);
    expect(codes(answer)).toEqual(sqls.map(() => undefined));
    if (answer.baton === null) throw new Error('the stream was closed');
    return answer.baton;
  }

  it('keeps a stream while a transaction is open, with a new baton each time', async () => {
    const database = await openWithTable();
    const first = await inStream(database, ['BEGIN', 'INSERT INTO t (a) VALUES (1)']);
    expect(await engine.rows(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
    const second = await inStream(database, ['SELECT a FROM t'], { baton: first });
    expect(second).not.toBe(first);
    const commit = await engine.run(database, ['COMMIT'], { baton: second });
    expect(commit.baton).toBeNull();
    expect(await engine.rows(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
  });

  it('tells batons that were used, forged or are unknown', async () => {
    const database = await openWithTable();
    const other = await openWithTable();
    const first = await inStream(database, ['BEGIN']);
    const second = await inStream(database, ['SELECT 1'], { baton: first });
    const ask = async (baton: string, of = database): Promise<PipelineAnswer> =>
      engine.run(of, ['SELECT 1'], { baton });
    const forged = `${second.slice(0, -2)}${second.endsWith('AA') ? 'BB' : 'AA'}`;
    for (const baton of [first, forged, 'nonsense']) {
      const answer = await ask(baton);
      expect([answer.status, answer.error['code']]).toEqual([400, 'BATON_INVALID']);
    }
    const elsewhere = await ask(second, other);
    expect([elsewhere.status, elsewhere.error['code']]).toEqual([404, 'STREAM_EXPIRED']);
    expect(elsewhere.error['error']).toMatch(/^stream not found: /);
    expect(elsewhere.error['message']).toBe('The stream has expired due to inactivity');
    expect((await ask(second)).status).toBe(200);
  });

  it('rolls back when a stream is closed', async () => {
    const database = await openWithTable();
    const baton = await inStream(database, ['BEGIN', 'INSERT INTO t (a) VALUES (1)']);
    const close = await engine.pipeline(database, [{ type: 'close' }], { baton });
    expect(close.baton).toBeNull();
    expect(await engine.rows(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
    expect((await engine.run(database, ['COMMIT'], { baton })).status).toBe(404);
  });

  it('keeps a stream while SQL is stored in it', async () => {
    const database = await openWithTable();
    const stored = await engine.pipeline(database, [{ type: 'store_sql', sql_id: 1, sql: 'SELECT 5' }]);
    expect(stored.baton).not.toBeNull();
    const run = await engine.pipeline(
      database,
      [
        { type: 'execute', stmt: { sql_id: 1 } },
        { type: 'close_sql', sql_id: 1 },
      ],
      {
        baton: stored.baton,
      },
    );
    expect(run.results[0]?.response?.result?.rows).toEqual([[{ type: 'integer', value: '5' }]]);
    expect(run.baton).toBeNull();
  });

  it('limits what a stream stores', async () => {
    const database = await openWithTable();
    const store = (id: number, sql: string): unknown => ({ type: 'store_sql', sql_id: id, sql });
    const many = Array.from({ length: 65 }, (_, id) => store(id, 'SELECT 1'));
    const answer = await engine.pipeline(database, [...many, store(1, 'SELECT 2'), store(2, ' '.repeat(20_000))]);
    expect(codes(answer).slice(63)).toEqual([undefined, 'SQL_STORE_TOO_MANY', undefined, 'SQL_STORE_TOO_LARGE']);
  });

  it('lets writers of other streams wait, in order', async () => {
    const database = await openWithTable();
    const baton = await inStream(database, ['BEGIN IMMEDIATE', "INSERT INTO t (a) VALUES ('first')"]);
    const second = engine.post(database, {
      requests: [{ type: 'execute', stmt: { sql: "INSERT INTO t (a) VALUES ('second')" } }],
    });
    const third = engine.post(database, {
      requests: [{ type: 'execute', stmt: { sql: "INSERT INTO t (a) VALUES ('third')" } }],
    });
    // Readers do not wait.
    expect(await engine.rows(database, 'SELECT count(*) FROM t')).toEqual([['0']]);
    expect(engine.messages.some((message) => message.type === 'response' && message.request === second)).toBe(false);
    await engine.run(database, ['COMMIT'], { baton });
    expect(codes(await engine.answer(second))).toEqual([undefined]);
    expect(codes(await engine.answer(third))).toEqual([undefined]);
    expect(await engine.rows(database, 'SELECT a FROM t ORDER BY id')).toEqual([['first'], ['second'], ['third']]);
  });

  it('gives up waiting for the write lock', async () => {
    const database = await openWithTable({ writeLockTimeoutMs: 50 });
    const baton = await inStream(database, ['BEGIN IMMEDIATE']);
    const answer = await engine.run(database, ['INSERT INTO t (a) VALUES (1)', 'SELECT 1']);
    expect(codes(answer)).toEqual(['TRANSACTION_BUSY', undefined]);
    expect(answer.results[0]?.error?.message).toContain('database is locked');
    await engine.run(database, ['ROLLBACK'], { baton });
    expect(codes(await engine.run(database, ['INSERT INTO t (a) VALUES (1)']))).toEqual([undefined]);
  });

  it('fails a transaction whose snapshot is out of date when it begins to write', async () => {
    const database = await openWithTable();
    const baton = await inStream(database, ['BEGIN', 'SELECT * FROM t']);
    await engine.run(database, ['INSERT INTO t (a) VALUES (1)']);
    const answer = await engine.run(database, ['INSERT INTO t (a) VALUES (2)', 'ROLLBACK'], { baton });
    expect(codes(answer)).toEqual(['SQLITE_BUSY', undefined]);
    expect(answer.results[0]?.error?.extended_code).toBe('SQLITE_BUSY_SNAPSHOT');
    expect(codes(await engine.run(database, ['INSERT INTO t (a) VALUES (3)']))).toEqual([undefined]);
  });

  it('rolls back a transaction that is too old and never falls back to autocommit', async () => {
    const database = await openWithTable({ transactionTimeoutMs: 500 });
    const baton = await inStream(database, ['BEGIN IMMEDIATE', 'INSERT INTO t (a) VALUES (1)']);
    // The waiting write goes through as soon as the old transaction is rolled back.
    expect(codes(await engine.run(database, ['INSERT INTO t (a) VALUES (2)']))).toEqual([undefined]);
    const answer = await engine.pipeline(
      database,
      [
        { type: 'execute', stmt: { sql: 'INSERT INTO t (a) VALUES (3)' } },
        { type: 'get_autocommit' },
        { type: 'execute', stmt: { sql: 'COMMIT' } },
        { type: 'execute', stmt: { sql: 'nonsense' } },
        { type: 'execute', stmt: { sql: 'ROLLBACK' } },
        { type: 'get_autocommit' },
        { type: 'execute', stmt: { sql: 'SELECT a FROM t' } },
      ],
      { baton },
    );
    expect(codes(answer)).toEqual([
      'TRANSACTION_TIMEOUT',
      undefined,
      'TRANSACTION_TIMEOUT',
      'TRANSACTION_TIMEOUT',
      undefined,
      undefined,
      undefined,
    ]);
    expect(answer.results[1]?.response?.is_autocommit).toBe(false);
    expect(answer.results[5]?.response?.is_autocommit).toBe(true);
    expect(answer.results[6]?.response?.result?.rows).toEqual([[{ type: 'integer', value: '2' }]]);
    expect(answer.baton).toBeNull();
  });

  it('closes streams that nobody uses', async () => {
    const database = await openWithTable({ streamIdleTimeoutMs: 100 });
    const after = engine.messages.length;
    const baton = await inStream(database, ['BEGIN IMMEDIATE']);
    const streams = async (open: number): Promise<unknown> =>
      engine.until(
        (message) =>
          message.type === 'streams' && message.database === database && message.open === open ? message : undefined,
        after,
      );
    await streams(1);
    await streams(0);
    expect((await engine.run(database, ['COMMIT'], { baton })).status).toBe(404);
    expect(codes(await engine.run(database, ['INSERT INTO t (a) VALUES (1)']))).toEqual([undefined]);
  });

  it('keeps read-only tokens from writing, also in the transaction of another token', async () => {
    const database = await openWithTable();
    const answer = await engine.run(
      database,
      ['INSERT INTO t (a) VALUES (1)', 'BEGIN IMMEDIATE', 'CREATE TABLE u (a)', 'BEGIN', 'SELECT * FROM t', 'COMMIT'],
      { readOnly: true },
    );
    expect(codes(answer)).toEqual(['BLOCKED', 'BLOCKED', 'BLOCKED', undefined, undefined, undefined]);
    const baton = await inStream(database, ['BEGIN', 'INSERT INTO t (a) VALUES (1)']);
    const foreign = await engine.run(database, ['INSERT INTO t (a) VALUES (2)', 'COMMIT', 'SELECT count(*) FROM t'], {
      baton,
      readOnly: true,
    });
    expect(codes(foreign)).toEqual(['BLOCKED', 'BLOCKED', undefined]);
    expect(codes(await engine.run(database, ['COMMIT'], { baton: foreign.baton }))).toEqual([undefined]);
    expect(await engine.rows(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
  });

  it('knows BEGIN TRANSACTION READONLY', async () => {
    const database = await openWithTable();
    const answer = await engine.run(database, [
      'BEGIN TRANSACTION READONLY',
      'SELECT * FROM t',
      'INSERT INTO t (a) VALUES (1)',
      'COMMIT',
      'INSERT INTO t (a) VALUES (1)',
    ]);
    expect(codes(answer)).toEqual([undefined, undefined, 'SQLITE_READONLY', undefined, undefined]);
  });

  it('shows nothing of one client to another', async () => {
    const database = await openWithTable();
    const changed = await engine.run(database, [
      'CREATE TEMP TABLE mine (a)',
      'INSERT INTO mine VALUES (1)',
      'INSERT INTO t (a) VALUES (1), (2)',
      'SELECT last_insert_rowid(), changes()',
    ]);
    expect(codes(changed)).toEqual([undefined, undefined, undefined, undefined]);
    expect(changed.results[3]?.response?.result?.rows[0]?.map(({ value }) => value)).toEqual(['2', '2']);
    expect(changed.baton).not.toBeNull();
    const other = await engine.run(database, ['SELECT * FROM mine']);
    expect(other.results[0]?.error?.message).toContain('no such table: mine');
    await engine.run(database, ['INSERT INTO t (a) VALUES (3)']);
    expect(await engine.rows(database, 'SELECT last_insert_rowid(), changes()')).toEqual([['0', '0']]);
    expect(await engine.rows(database, 'SELECT a FROM mine', { baton: changed.baton })).toEqual([['1']]);
  });

  it('keeps the settings of one client away from another', async () => {
    const database = await openWithTable();
    const [[before]] = (await engine.rows(database, 'PRAGMA foreign_keys')) as [[string]];
    const other = before === '1' ? '0' : '1';
    const changed = await engine.run(database, [`PRAGMA foreign_keys = ${other}`, 'PRAGMA foreign_keys']);
    expect(changed.results[1]?.response?.result?.rows).toEqual([[{ type: 'integer', value: other }]]);
    expect(changed.baton).not.toBeNull();
    expect(await engine.rows(database, 'PRAGMA foreign_keys')).toEqual([[before]]);
    await engine.pipeline(database, [{ type: 'close' }], { baton: changed.baton });
    for (let client = 0; client < 3; client++) {
      expect(await engine.rows(database, 'PRAGMA foreign_keys')).toEqual([[before]]);
    }
  });

  it('serves two requests that show the baton of a running cursor, one of them', async () => {
    const database = await openWithTable();
    const body = { batch: { steps: [{ stmt: { sql: `SELECT hex(zeroblob(100000)) FROM (${values(40)})` } }] } };
    const request = engine.post(database, body, { kind: 'v3-cursor' });
    const first = await engine.until((message) =>
      message.type === 'response' && message.request === request ? message : undefined,
    );
    const { baton } = JSON.parse(Buffer.from(first.body).toString().split('\n', 1)[0]!) as { baton: string };
    const answers = await Promise.all([1, 2].map(async () => engine.run(database, ['SELECT 1'], { baton })));
    // The first of them left nothing to keep, so the stream is gone.
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404]);
  });

  it('remembers the last rowid of a stream that holds no connection', async () => {
    const database = await openWithTable();
    const insert = await engine.cursor(database, [{ stmt: { sql: 'INSERT INTO t (id) VALUES (41)' } }]);
    await engine.run(database, ['INSERT INTO t (id) VALUES (5)']);
    const baton = insert[0]!['baton'] as string;
    expect(await engine.rows(database, 'SELECT last_insert_rowid()', { baton })).toEqual([['41']]);
  });

  it('ends a cursor that the client left for its next request', async () => {
    const database = await openWithTable();
    const body = { batch: { steps: [{ stmt: { sql: `SELECT hex(zeroblob(100000)) FROM (${values(40)})` } }] } };
    const request = engine.post(database, body, { kind: 'v3-cursor' });
    const first = await engine.until((message) =>
      message.type === 'response' && message.request === request ? message : undefined,
    );
    const { baton } = JSON.parse(Buffer.from(first.body).toString().split('\n', 1)[0]!) as { baton: string };
    expect(await engine.rows(database, 'SELECT 1', { baton })).toEqual([['1']]);
    const parts = await engine.parts(request);
    const lastLine = Buffer.from(parts.at(-1)!.body).toString().trim().split('\n').at(-1)!;
    expect(JSON.parse(lastLine)).toMatchObject({ type: 'error', error: { code: 'STREAM_EXPIRED' } });
  });

  it('does not start what a client no longer waits for', async () => {
    const database = await openWithTable();
    const baton = await inStream(database, ['BEGIN IMMEDIATE']);
    const waiting = engine.post(database, {
      requests: ["INSERT INTO t (a) VALUES ('too late')", "INSERT INTO t (a) VALUES ('later')"].map((sql) => ({
        type: 'execute',
        stmt: { sql },
      })),
    });
    engine.send({ type: 'cancel', request: waiting });
    await engine.parts(waiting);
    const abandoned = engine.post(database, {
      baton,
      requests: Array.from({ length: 2_000 }, () => ({
        type: 'execute',
        stmt: { sql: 'INSERT INTO t (a) VALUES (1)' },
      })),
    });
    engine.send({ type: 'cancel', request: abandoned });
    await engine.parts(abandoned);
    // Its transaction is rolled back, so that others can write.
    expect(codes(await engine.run(database, ["INSERT INTO t (a) VALUES ('only')"]))).toEqual([undefined]);
    expect(await engine.rows(database, 'SELECT a FROM t')).toEqual([['only']]);
  });

  it('sees a changed schema in every connection', async () => {
    const database = await openWithTable();
    const query = 'SELECT * FROM t';
    await engine.rows(database, query);
    const baton = await inStream(database, [
      'BEGIN',
      'ALTER TABLE t ADD COLUMN b DEFAULT 7',
      'INSERT INTO t (a) VALUES (1)',
    ]);
    expect(await engine.rows(database, query)).toEqual([]);
    const inside = await engine.run(database, [query, 'COMMIT'], { baton });
    expect(inside.results[0]?.response?.result?.cols).toHaveLength(3);
    const outside = await engine.run(database, [query]);
    expect(outside.results[0]?.response?.result?.cols).toHaveLength(3);
    expect(outside.results[0]?.response?.result?.rows[0]).toHaveLength(3);
  });
});

function values(count: number): string {
  return `VALUES ${Array.from({ length: count }, (_, index) => `(${index})`).join()}`;
}
