import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { EngineUnderTest, generousLimits } from './engine-under-test.js';

describe.each(['libsql', 'tursodb'] as const)('an engine process with %s databases', (engineName) => {
  let engine: EngineUnderTest;

  beforeEach(() => {
    engine = new EngineUnderTest();
  });

  afterEach(async () => {
    await engine.dispose();
  });

  const statements = (sql: string, count: number): unknown[] =>
    Array.from({ length: count }, () => ({ type: 'execute', stmt: { sql } }));

  it('does not let one database wait for a long pipeline of another', async () => {
    const [busy, other] = [await engine.open(engineName), await engine.open(engineName)];
    const long = engine.post(busy, { requests: statements('SELECT 1', 5_000) });
    const short = engine.post(other, { requests: statements('SELECT 2', 1) });
    await Promise.all([engine.answer(long), engine.answer(short)]);
    const order = engine.messages.flatMap((message) => (message.type === 'response' ? [message.request] : []));
    expect(order).toEqual([short, long]);
  });

  it('lets requests of one database take turns', async () => {
    const database = await engine.open(engineName);
    const long = engine.post(database, { requests: statements('SELECT 1', 5_000) });
    const short = engine.post(database, { requests: statements('SELECT 2', 1) });
    await Promise.all([engine.answer(long), engine.answer(short)]);
    const order = engine.messages.flatMap((message) => (message.type === 'response' ? [message.request] : []));
    expect(order).toEqual([short, long]);
  });

  it('notes what it runs, and nothing when it is idle', async () => {
    const database = await engine.open(engineName);
    const query = `SELECT count(*) FROM (${Array.from({ length: 400 }, (_, i) => `SELECT ${i} a`).join(' UNION ALL ')}) x,
      (${Array.from({ length: 400 }, (_, i) => `SELECT ${i} b`).join(' UNION ALL ')}) y WHERE x.a + y.b > 5`;
    const request = engine.post(database, { requests: statements(query, 60) });
    let seen = false;
    const answer = engine.answer(request).then(() => true);
    while (!(await Promise.race([answer, new Promise<false>((resolve) => setImmediate(resolve, false))]))) {
      const record = engine.flightRecord.read();
      seen ||= record.request === request && record.database === database && record.startedAtNs > 0n;
    }
    expect(seen).toBe(true);
    await engine.rows(database, 'SELECT 1');
    // The record is cleared right after the response was sent.
    while (engine.flightRecord.read().request !== 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('closes a database with everything that is open in it', async () => {
    const database = await engine.open(engineName);
    await engine.run(database, ['CREATE TABLE t (a)']);
    await engine.run(database, ['BEGIN IMMEDIATE', 'INSERT INTO t VALUES (1)']);
    engine.post(database, { requests: statements('INSERT INTO t VALUES (2)', 1) });
    const cursor = engine.post(
      database,
      { batch: { steps: [{ stmt: { sql: `SELECT hex(zeroblob(200000)) FROM (VALUES (1),(2),(3),(4),(5),(6))` } }] } },
      { kind: 'v3-cursor' },
    );
    await engine.until((message) => (message.type === 'response' && message.request === cursor ? true : undefined));
    engine.send({ type: 'close', database });
    await engine.until((message) => (message.type === 'closed' ? true : undefined));
    expect(engine.messages.at(-1)?.type).toBe('closed');
    expect(existsSync(engine.path(database))).toBe(true);
    // The same file can be opened again under another handle.
    writeFileSync(engine.path(77), emptyDatabaseImage(0));
    const again = { type: 'open', database: 77, engine: engineName, path: engine.path(77), commit: 5 } as const;
    engine.send({ ...again, limits: generousLimits });
    const { seenCommit } = await engine.run(77, ['CREATE TABLE t (a)']);
    expect(seenCommit).toBe(6);
  });

  it('says why a database cannot be opened', async () => {
    writeFileSync(engine.path(9), Buffer.alloc(4096, 7));
    engine.send({
      type: 'open',
      database: 9,
      engine: engineName,
      path: engine.path(9),
      commit: 0,
      limits: generousLimits,
    });
    const { error } = await engine.until((message) => (message.type === 'opened' ? message : undefined));
    expect(error?.code).toMatch(/^SQLITE_(NOTADB|CORRUPT)$/);
  });

  it('frees the files of closed databases', async () => {
    const openFiles = (): string[] =>
      readdirSync(`/proc/${engine.pid}/fd`)
        .map((fd) => {
          try {
            return readlinkSync(`/proc/${engine.pid}/fd/${fd}`);
          } catch {
            return '';
          }
        })
        .filter((path) => path.startsWith(engine.directory) && path.includes('/db-'));
    for (let round = 0; round < 3; round++) {
      const database = await engine.open(engineName);
      await engine.run(database, ['CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)', 'SELECT * FROM t']);
      const after = engine.messages.length;
      engine.send({ type: 'close', database });
      await engine.until((message) => (message.type === 'closed' ? true : undefined), after);
    }
    while (openFiles().length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('exits when its socket ends', async () => {
    await engine.open(engineName);
    expect(await engine.end()).toBe(0);
    expect(engine.standardError).toBe('');
  });

  it('opens an empty image that stays sound, with reserved bytes', async () => {
    const image = emptyDatabaseImage(28);
    expect(image).toHaveLength(4096);
    writeFileSync(engine.path(5), image);
    engine.send({
      type: 'open',
      database: 5,
      engine: engineName,
      path: engine.path(5),
      commit: 0,
      limits: generousLimits,
    });
    await engine.run(5, ['CREATE TABLE t (a)', 'INSERT INTO t VALUES (zeroblob(20000))']);
    expect(await engine.rows(5, 'PRAGMA integrity_check')).toEqual([['ok']]);
    engine.send({ type: 'checkpoint', database: 5, commit: 2 });
    await engine.until((message) => (message.type === 'checkpointed' && message.done ? true : undefined));
    const file = readFileSync(engine.path(5));
    expect(file.readUInt8(20)).toBe(28);
    for (let page = 1; page <= file.length / 4096; page++) {
      expect(file.subarray(page * 4096 - 28, page * 4096).equals(Buffer.alloc(28))).toBe(true);
    }
  });
});
