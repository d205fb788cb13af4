import { EngineUnderTest, cursorLines, type PipelineAnswer } from './engine-under-test.js';

const codes = ({ results }: PipelineAnswer): (string | undefined)[] => results.map(({ error }) => error?.code);

describe.each(['libsql', 'tursodb'] as const)('limits of a %s database', (engineName) => {
  let engine: EngineUnderTest;

  beforeAll(() => {
    engine = new EngineUnderTest();
  });

  afterAll(async () => {
    await engine.dispose();
  });

  const blobs = (count: number, bytes: number): string =>
    `SELECT zeroblob(${bytes}) FROM (VALUES ${Array.from({ length: count }, (_, index) => `(${index})`).join()})`;

  async function checkpointDone(database: number): Promise<boolean> {
    const after = engine.messages.length;
    const { seenCommit } = await engine.run(database, ['SELECT 1']);
    engine.send({ type: 'checkpoint', database, commit: seenCommit });
    return engine.until((message) => (message.type === 'checkpointed' ? message.done : undefined), after);
  }

  it('ends a sequence without end between two statements, and serves others meanwhile', async () => {
    const database = await engine.open(engineName, { requestTimeoutMs: 200 });
    const other = await engine.open(engineName);
    await engine.run(database, ['CREATE TABLE t (a)']);
    const sequence = engine.pipeline(database, [
      { type: 'sequence', sql: 'INSERT INTO t VALUES (1);'.repeat(400_000) },
      { type: 'get_autocommit' },
      { type: 'execute', stmt: { sql: 'SELECT 1' } },
    ]);
    let served = 0;
    const state = { hasEnded: false };
    void sequence.finally(() => (state.hasEnded = true));
    while (!state.hasEnded) {
      await engine.run(other, ['SELECT 1']);
      served += 1;
    }
    const { results } = await sequence;
    expect(results.map(({ type }) => type)).toEqual(['error', 'ok', 'error']);
    expect(results[0]?.error).toMatchObject({ code: 'REQUEST_TOO_LONG' });
    expect(results[2]?.error).toMatchObject({ code: 'REQUEST_TOO_LONG' });
    expect(served).toBeGreaterThan(2);
    const after = await engine.run(database, ['SELECT count(*) > 0, count(*) < 400000 FROM t']);
    expect(after.results[0]?.response?.result?.rows).toMatchObject([[{ value: '1' }, { value: '1' }]]);
  });

  it('ends a batch that runs too long the same way', async () => {
    const database = await engine.open(engineName, { requestTimeoutMs: 50 });
    const steps = Array.from({ length: 60_000 }, () => ({ stmt: { sql: 'SELECT 1', want_rows: false } }));
    const { results } = await engine.pipeline(database, [{ type: 'batch', batch: { steps } }]);
    const errors = results[0]?.response?.result?.step_errors ?? [];
    expect(errors[0]).toBeNull();
    expect(errors.at(-1)).toMatchObject({ code: 'REQUEST_TOO_LONG' });
  });

  it('leaves out results that are too large and goes on', async () => {
    const database = await engine.open(engineName, { maxResponseBytes: 100_000 });
    const answer = await engine.run(database, [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
      blobs(3, 50_000),
      'SELECT 1',
      blobs(1, 50_000),
      blobs(1, 50_000),
      'SELECT 2',
    ]);
    expect(codes(answer)).toEqual([
      undefined,
      'RESPONSE_TOO_LARGE',
      undefined,
      undefined,
      'RESPONSE_TOO_LARGE',
      undefined,
    ]);
    const insert = `INSERT INTO t (a) ${blobs(3, 50_000)} RETURNING a`;
    const written = await engine.run(database, [insert, 'SELECT count(*) FROM t']);
    expect(written.results[0]?.error).toMatchObject({ code: 'RESPONSE_TOO_LARGE' });
    expect(written.results[0]?.error?.message).toContain('is not undone');
    expect(written.results[1]?.response?.result?.rows).toEqual([[{ type: 'integer', value: '3' }]]);
    expect(await checkpointDone(database)).toBe(true);
  });

  it('streams through a cursor what is too large for a pipeline, but no single row', async () => {
    const database = await engine.open(engineName, { maxResponseBytes: 100_000 });
    const lines = await engine.cursor(database, [
      { stmt: { sql: blobs(20, 50_000) } },
      { stmt: { sql: blobs(1, 100_000) } },
      { stmt: { sql: 'SELECT 1' } },
    ]);
    expect(lines.filter(({ type }) => type === 'row')).toHaveLength(21);
    expect(lines.filter(({ type }) => type === 'step_error')).toMatchObject([
      { step: 1, error: { code: 'RESPONSE_TOO_LARGE' } },
    ]);
    expect(lines.at(-1)).toEqual({ type: 'replication_index', replication_index: null });
  });

  it('refuses to grow a database beyond its pages', async () => {
    const database = await engine.open(engineName, { maxPages: 50 });
    const answer = await engine.run(database, [
      'CREATE TABLE t (a)',
      'INSERT INTO t VALUES (zeroblob(300000))',
      'INSERT INTO t VALUES (1)',
    ]);
    expect(codes(answer)).toEqual([undefined, 'SQLITE_FULL', undefined]);
  });

  it('ends a cursor whose client takes nothing', async () => {
    const database = await engine.open(engineName, { streamIdleTimeoutMs: 200 });
    const body = { batch: { steps: [{ stmt: { sql: blobs(60, 40_000) } }] } };
    const parts = await engine.parts(engine.post(database, body, { kind: 'v3-cursor' }));
    const tail = Buffer.from(parts.at(-1)!.body).toString();
    expect(JSON.parse(tail)).toMatchObject({ type: 'error', error: { code: 'STREAM_EXPIRED' } });
    expect(await checkpointDone(database)).toBe(true);
  });

  it('rolls back the transaction of a cursor whose client takes too long', async () => {
    const database = await engine.open(engineName, { transactionTimeoutMs: 300 });
    await engine.run(database, ['CREATE TABLE t (a)']);
    const steps = ['BEGIN IMMEDIATE', blobs(60, 40_000), 'INSERT INTO t VALUES (1)'].map((sql) => ({ stmt: { sql } }));
    const request = engine.post(database, { batch: { steps } }, { kind: 'v3-cursor' });
    // The write can only go through when the cursor's transaction is over.
    expect(codes(await engine.run(database, ['INSERT INTO t VALUES (2)']))).toEqual([undefined]);
    engine.send({ type: 'credit', request, bytes: 100_000_000 });
    const lines = cursorLines(await engine.parts(request));
    const errors = lines.filter(({ type }) => type === 'step_error');
    expect(errors).toMatchObject([
      { step: 1, error: { code: 'TRANSACTION_TIMEOUT' } },
      { step: 2, error: { code: 'TRANSACTION_TIMEOUT' } },
    ]);
    expect(await engine.rows(database, 'SELECT a FROM t')).toEqual([['2']]);
  });

  it('lets go of everything when the client of a cursor goes away', async () => {
    const database = await engine.open(engineName);
    const body = { batch: { steps: [{ stmt: { sql: blobs(60, 40_000) } }] } };
    const request = engine.post(database, body, { kind: 'v3-cursor' });
    await engine.until((message) => (message.type === 'response' && message.request === request ? true : undefined));
    engine.send({ type: 'cancel', request });
    await engine.parts(request);
    expect(await checkpointDone(database)).toBe(true);
  });

  it('serves more open transactions than it has connections for, one after the other', async () => {
    const database = await engine.open(engineName, { writeLockTimeoutMs: 1_000 });
    const batons: (string | null)[] = [];
    for (let stream = 0; stream < 64; stream++) batons.push((await engine.run(database, ['BEGIN'])).baton);
    expect(codes(await engine.run(database, ['SELECT 1']))).toEqual(['TRANSACTION_BUSY']);
    const waiting = engine.post(database, { requests: [{ type: 'execute', stmt: { sql: 'SELECT 2' } }] });
    await engine.run(database, ['ROLLBACK'], { baton: batons[0]! });
    expect(codes(await engine.answer(waiting))).toEqual([undefined]);
  });
});
