import { EngineUnderTest, cursorLines } from './engine-under-test.js';

describe.each(['libsql', 'tursodb'] as const)('requests to a %s database', (engineName) => {
  let engine: EngineUnderTest;
  let database: number;

  beforeAll(async () => {
    engine = new EngineUnderTest();
    database = await engine.open(engineName);
  });

  afterAll(async () => {
    await engine.dispose();
  });

  const execute = (sql: string, more: Record<string, unknown> = {}): unknown => ({
    type: 'execute',
    stmt: { sql, ...more },
  });

  it('answers every kind of pipeline request, in order', async () => {
    const answer = await engine.pipeline(database, [
      execute('CREATE TABLE kinds (id INTEGER PRIMARY KEY, name TEXT NOT NULL)'),
      { type: 'store_sql', sql_id: 7, sql: 'INSERT INTO kinds (name) VALUES (:name)' },
      { type: 'execute', stmt: { sql_id: 7, named_args: [{ name: 'name', value: { type: 'text', value: 'ann' } }] } },
      { type: 'close_sql', sql_id: 7 },
      { type: 'close_sql', sql_id: 8 },
      { type: 'sequence', sql: "INSERT INTO kinds (name) VALUES ('bob'); SELECT * FROM kinds; ;" },
      { type: 'describe', sql: 'SELECT id, name AS n, 1 FROM kinds WHERE id = ? AND name = :x' },
      { type: 'get_autocommit' },
      execute('SELECT * FROM kinds'),
      { type: 'close' },
    ]);
    expect(answer.status).toBe(200);
    expect(answer.baton).toBeNull();
    expect(answer.results.map(({ type, response }) => [type, response?.type])).toEqual([
      ['ok', 'execute'],
      ['ok', 'store_sql'],
      ['ok', 'execute'],
      ['ok', 'close_sql'],
      ['ok', 'close_sql'],
      ['ok', 'sequence'],
      ['ok', 'describe'],
      ['ok', 'get_autocommit'],
      ['ok', 'execute'],
      ['ok', 'close'],
    ]);
    expect(answer.results[2]?.response?.result).toEqual({
      cols: [],
      rows: [],
      affected_row_count: 1,
      last_insert_rowid: '1',
      replication_index: null,
      rows_read: 0,
      rows_written: 1,
      query_duration_ms: expect.any(Number) as number,
    });
    expect(answer.results[6]?.response?.result).toEqual({
      params: [{ name: null }, { name: ':x' }],
      cols: [
        { name: 'id', decltype: 'INTEGER' },
        { name: 'n', decltype: 'TEXT' },
        { name: '1', decltype: null },
      ],
      is_explain: false,
      is_readonly: true,
    });
    expect(answer.results[7]?.response?.is_autocommit).toBe(true);
    expect(answer.results[8]?.response?.result).toMatchObject({
      rows: [
        [
          { type: 'integer', value: '1' },
          { type: 'text', value: 'ann' },
        ],
        [
          { type: 'integer', value: '2' },
          { type: 'text', value: 'bob' },
        ],
      ],
      last_insert_rowid: null,
      rows_read: 2,
    });
  });

  it('gives back every value as it was given', async () => {
    const values = [
      { type: 'null' },
      { type: 'integer', value: '9223372036854775807' },
      { type: 'integer', value: '-9223372036854775808' },
      { type: 'float', value: 1.5 },
      { type: 'float', value: 3 },
      { type: 'text', value: 'quote " back \\ line \n snow ☃ clef 𝄞' },
      { type: 'blob', base64: 'AAEC/w' },
      { type: 'blob', base64: '' },
    ];
    const sql = `SELECT ${values.map(() => '?').join()}, ${values.map((_, index) => `typeof(?${index + 1})`).join()}`;
    const answer = await engine.pipeline(database, [execute(sql, { args: values })]);
    const row = answer.results[0]?.response?.result?.rows[0] ?? [];
    expect(row.slice(0, values.length)).toEqual(values);
    expect(row.slice(values.length).map(({ value }) => value)).toEqual([
      'null',
      'integer',
      'integer',
      'real',
      'real',
      'text',
      'blob',
      'blob',
    ]);
    expect(await engine.rows(database, 'SELECT 9e999, -9e999')).toEqual([[null, null]]);
  });

  it('reports errors in-band and goes on', async () => {
    await engine.run(database, ['CREATE TABLE strict_ones (a INTEGER PRIMARY KEY, b UNIQUE)']);
    const answer = await engine.pipeline(database, [
      execute('INSERT INTO strict_ones VALUES (1, 1)'),
      execute('INSERT INTO strict_ones VALUES (2, 1)'),
      execute('SELEC 1'),
      execute('SELECT * FROM missing'),
      execute('SELECT 1; SELECT 2'),
      execute(' -- nothing'),
      execute('SELECT ?'),
      execute('SELECT ?', { args: [{ type: 'null' }], named_args: [{ name: 'a', value: { type: 'null' } }] }),
      { type: 'execute', stmt: { sql_id: 1 } },
      { type: 'describe', sql: 'SELEC' },
      {
        type: 'sequence',
        sql: 'INSERT INTO strict_ones VALUES (3, 3); SELECT * FROM missing; DELETE FROM strict_ones',
      },
      execute('SELECT count(*) FROM strict_ones'),
    ]);
    expect(answer.results.map(({ error }) => error?.code)).toEqual([
      undefined,
      'SQLITE_CONSTRAINT',
      'SQL_PARSE_ERROR',
      'SQLITE_ERROR',
      'SQL_MANY_STATEMENTS',
      'SQL_NO_STATEMENT',
      'ARGS_INVALID',
      'ARGS_BOTH_POSITIONAL_AND_NAMED',
      'SQL_INPUT_ERROR',
      'SQL_PARSE_ERROR',
      'SQLITE_ERROR',
      undefined,
    ]);
    expect(answer.results[1]?.error).toEqual({
      message: expect.stringContaining('UNIQUE constraint failed: strict_ones.b') as string,
      code: 'SQLITE_CONSTRAINT',
      extended_code: 'SQLITE_CONSTRAINT_UNIQUE',
    });
    expect(answer.results[3]?.error?.message).toContain('no such table: missing');
    expect(answer.results[11]?.response?.result?.rows).toEqual([[{ type: 'integer', value: '2' }]]);
  });

  it('refuses malformed bodies as a whole and says where', async () => {
    const bodies: [unknown, string][] = [
      [Buffer.from('{'), 'the body must be JSON'],
      [Buffer.from([0x7b, 0xff, 0x7d]), 'UTF-8'],
      [{ requests: {} }, 'requests must be an array'],
      [{ baton: 5, requests: [] }, 'baton must be a string'],
      [{ requests: [{ type: 'close' }, { type: 'get_autocommit' }] }, '"close" must be the last'],
      [{ requests: [{ type: 'dance' }] }, 'requests[0].type'],
      [
        { requests: [execute('SELECT 1', { args: [{ type: 'integer', value: 1 }] })] },
        'requests[0].stmt.args[0].value',
      ],
    ];
    for (const [body, text] of bodies) {
      const answer = await engine.answer(engine.post(database, body));
      expect(answer.status).toBe(400);
      expect(answer.error).toMatchObject({ code: 'MALFORMED_REQUEST' });
      expect(answer.error['message']).toContain(text);
      expect(answer.error['error']).toBe(answer.error['message']);
    }
  });

  it('runs batches by their conditions', async () => {
    await engine.run(database, ['CREATE TABLE steps (a INTEGER PRIMARY KEY)']);
    const step = (sql: string, condition?: unknown): unknown => ({
      stmt: { sql },
      ...(condition ? { condition } : {}),
    });
    const ok = (n: number): unknown => ({ type: 'ok', step: n });
    const not = (cond: unknown): unknown => ({ type: 'not', cond });
    const answer = await engine.pipeline(database, [
      {
        type: 'batch',
        batch: {
          steps: [
            step('BEGIN'),
            step('INSERT INTO steps VALUES (1)', ok(0)),
            step('INSERT INTO steps VALUES (1)', { type: 'and', conds: [ok(1), not({ type: 'is_autocommit' })] }),
            step('COMMIT', ok(2)),
            step('ROLLBACK', not(ok(3))),
            step('SELECT 5', { type: 'error', step: 3 }),
            step('SELECT 6', { type: 'or', conds: [ok(3), ok(2)] }),
            step('SELECT 7', { type: 'is_autocommit' }),
          ],
        },
      },
    ]);
    const { step_results: results, step_errors: errors } = answer.results[0]!.response!.result!;
    expect(results.map((result) => result !== null)).toEqual([true, true, false, false, true, true, false, true]);
    expect(errors.map((error) => error?.code ?? null)).toEqual([
      null,
      null,
      'SQLITE_CONSTRAINT',
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(await engine.rows(database, 'SELECT * FROM steps')).toEqual([]);
  });

  it('leaves rows out when they are not wanted', async () => {
    const answer = await engine.pipeline(database, [execute('SELECT 1 AS one', { want_rows: false })]);
    expect(answer.results[0]?.response?.result).toMatchObject({ cols: [{ name: 'one' }], rows: [] });
  });

  it('answers with rows that a write returns', async () => {
    await engine.run(database, ['CREATE TABLE returned (id INTEGER PRIMARY KEY, a)']);
    const answer = await engine.run(database, [
      'INSERT INTO returned (a) VALUES (1), (2) RETURNING id',
      'UPDATE returned SET a = 5 RETURNING a',
    ]);
    expect(answer.results.map(({ response }) => response?.result)).toMatchObject([
      {
        rows: [[{ type: 'integer', value: '1' }], [{ type: 'integer', value: '2' }]],
        affected_row_count: 2,
        last_insert_rowid: '2',
      },
      { affected_row_count: 2, last_insert_rowid: null },
    ]);
    expect(answer.seenCommit).toBe(engine.commits(database).at(-1)?.commit);
  });

  it('streams a cursor as lines', async () => {
    await engine.run(database, ['CREATE TABLE lines (a INTEGER PRIMARY KEY)']);
    const lines = await engine.cursor(database, [
      { stmt: { sql: 'INSERT INTO lines VALUES (8), (9)' } },
      { stmt: { sql: 'SELECT a FROM lines' }, condition: { type: 'ok', step: 0 } },
      { stmt: { sql: 'SELECT 2' }, condition: { type: 'error', step: 0 } },
      { stmt: { sql: 'INSERT INTO lines VALUES (8)' } },
    ]);
    expect(lines).toEqual([
      { baton: expect.any(String) as string, base_url: null },
      { type: 'step_begin', step: 0, cols: [] },
      { type: 'step_end', affected_row_count: 2, last_insert_rowid: 9 },
      { type: 'step_begin', step: 1, cols: [{ name: 'a', decltype: 'INTEGER' }] },
      { type: 'row', row: [{ type: 'integer', value: '8' }] },
      { type: 'row', row: [{ type: 'integer', value: '9' }] },
      { type: 'step_end', affected_row_count: 0, last_insert_rowid: null },
      { type: 'step_begin', step: 3, cols: [] },
      { type: 'step_error', step: 3, error: expect.objectContaining({ code: 'SQLITE_CONSTRAINT' }) as unknown },
      { type: 'replication_index', replication_index: null },
    ]);
  });

  it('refuses a cursor with a condition on a later step', async () => {
    const body = { batch: { steps: [{ stmt: { sql: 'SELECT 1' }, condition: { type: 'ok', step: 0 } }] } };
    const parts = await engine.parts(engine.post(database, body, { kind: 'v3-cursor' }));
    expect(parts.map(({ status }) => status)).toEqual([400]);
  });

  it('sends no more of a cursor than the client gave credit for', async () => {
    const megabyte = 1024 * 1024;
    const rows = 96;
    const request = engine.post(
      database,
      { batch: { steps: [{ stmt: { sql: `SELECT hex(zeroblob(32768)) FROM (${series(rows)})` } }] } },
      { kind: 'v3-cursor' },
    );
    const received = (): Message[] =>
      engine.messages.filter((message) => message.type === 'response' && message.request === request) as Message[];
    const bytes = (): number => received().reduce((sum, { body }) => sum + body.length, 0);
    await engine.until((message) => (bytes() > megabyte - 70 * 1024 ? message : undefined));
    // Another request runs through while the cursor is parked.
    expect(await engine.rows(database, 'SELECT 1')).toEqual([['1']]);
    expect(bytes()).toBeLessThanOrEqual(megabyte);
    expect(received().every(({ last }) => !last)).toBe(true);
    engine.send({ type: 'credit', request, bytes: 100 * megabyte });
    const parts = await engine.parts(request);
    expect(cursorLines(parts).filter(({ type }) => type === 'row')).toHaveLength(rows);
    expect(Math.max(...parts.map(({ body }) => body.length))).toBeLessThanOrEqual(64 * 1024);
  });
});

type Message = Extract<EngineUnderTest['messages'][number], { type: 'response' }>;

/** A query of `count` rows that both engines understand. */
function series(count: number): string {
  return `VALUES ${Array.from({ length: count }, (_, index) => `(${index})`).join()}`;
}
