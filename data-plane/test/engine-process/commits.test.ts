import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { libsqlAdapter } from '../../src/engine/adapters/libsql.js';
import { maxCommitPartBytes, pageRecordBytes } from '../../src/engine/ipc/messages.js';
import { EngineUnderTest, type PipelineAnswer } from './engine-under-test.js';

const codes = ({ results }: PipelineAnswer): (string | undefined)[] => results.map(({ error }) => error?.code);

describe.each(['libsql', 'tursodb'] as const)('commits of a %s database', (engineName) => {
  let engine: EngineUnderTest;
  let replicas = 0;

  beforeAll(() => {
    engine = new EngineUnderTest();
  });

  afterAll(async () => {
    await engine.dispose();
  });

  /** Rows of a query on what the commit messages alone make of the database; it must be sound. */
  function onReplica(database: number, sql: string): unknown[][] {
    const path = join(engine.directory, `replica-${++replicas}`);
    writeFileSync(path, engine.replica(database));
    const connection = libsqlAdapter.open(path, { maxPages: 100_000 });
    try {
      expect([...connection.prepare('PRAGMA integrity_check').rows([])]).toEqual([['ok']]);
      return [...connection.prepare(sql).rows([])];
    } finally {
      connection.close();
    }
  }

  const fill = (rows: number, bytes: number): string =>
    `INSERT INTO t (a) WITH d(x) AS (VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9))
     SELECT zeroblob(${bytes}) FROM d a, d b, d c, d e LIMIT ${rows}`;

  it('sends every commit once, numbered, before the response that saw it', async () => {
    const database = await engine.open(engineName);
    const answer = await engine.run(database, [
      'CREATE TABLE t (id INTEGER PRIMARY KEY, a)',
      'INSERT INTO t (a) VALUES (1)',
      'BEGIN',
      'INSERT INTO t (a) VALUES (2)',
      'UPDATE t SET a = a + 1',
      'COMMIT',
      'SELECT * FROM t',
      'BEGIN',
      'INSERT INTO t (a) VALUES (99)',
      'ROLLBACK',
      'DELETE FROM t WHERE a = 2',
    ]);
    expect(codes(answer).filter((code) => code !== undefined)).toEqual([]);
    expect(answer.seenCommit).toBe(4);
    const order = engine.messages
      .filter((message) => 'commit' in message || message.type === 'response')
      .map((message) => (message.type === 'commit' ? message.commit : message.type));
    expect(order).toEqual([1, 2, 3, 4, 'response']);
    for (const { pages, last } of engine.commits(database)) {
      expect(pages.length % pageRecordBytes).toBe(0);
      expect(last).toBe(true);
    }
    expect(onReplica(database, 'SELECT a FROM t')).toEqual([[3n]]);
  });

  it('sends what a failed statement has nevertheless committed', async () => {
    const database = await engine.open(engineName);
    const answer = await engine.run(database, [
      'CREATE TABLE t (a INTEGER PRIMARY KEY)',
      'INSERT OR FAIL INTO t VALUES (1), (2), (1), (3)',
      'SELECT count(*) FROM t',
    ]);
    expect(codes(answer)).toEqual([undefined, 'SQLITE_CONSTRAINT', undefined]);
    const count = Number(answer.results[2]?.response?.result?.rows[0]?.[0]?.value);
    expect(onReplica(database, 'SELECT count(*) FROM t')).toEqual([[BigInt(count)]]);
  });

  it('sends a large commit in parts, each page once, and nothing of a large rollback', async () => {
    const database = await engine.open(engineName);
    await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)']);
    const before = engine.commits(database).length;
    const rolledBack = await engine.run(database, ['BEGIN', fill(2_000, 3_000), 'ROLLBACK']);
    expect(codes(rolledBack)).toEqual([undefined, undefined, undefined]);
    expect(engine.commits(database)).toHaveLength(before);
    await engine.run(database, ["INSERT INTO t (a) VALUES ('small')"]);
    // Pages are written more than once: the cache is smaller than the transaction.
    const filled = await engine.run(database, [
      'BEGIN',
      fill(1_500, 3_000),
      'UPDATE t SET a = zeroblob(3001)',
      'COMMIT',
    ]);
    expect(codes(filled).filter((code) => code !== undefined)).toEqual([]);
    const parts = engine.commits(database).filter(({ commit }) => commit === filled.seenCommit);
    expect(parts.length).toBeGreaterThan(3);
    expect(parts.map(({ last }) => last)).toEqual(parts.map((_, index) => index === parts.length - 1));
    expect(Math.max(...parts.map(({ pages }) => pages.length))).toBeLessThanOrEqual(maxCommitPartBytes);
    const numbers = parts.flatMap(({ pages }) => {
      const bytes = Buffer.from(pages);
      return Array.from({ length: bytes.length / pageRecordBytes }, (_, index) =>
        bytes.readUInt32LE(index * pageRecordBytes),
      );
    });
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(onReplica(database, 'SELECT count(*), sum(length(a)) FROM t')).toEqual([[1501n, 1501n * 3001n]]);
  });

  it('goes on after checkpoints', async () => {
    const database = await engine.open(engineName);
    await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)', fill(50, 3_000)]);
    const checkpoint = async (commit: number): Promise<[number, boolean]> => {
      const after = engine.messages.length;
      engine.send({ type: 'checkpoint', database, commit });
      const { done, commit: at } = await engine.until(
        (message) => (message.type === 'checkpointed' ? message : undefined),
        after,
      );
      return [at, done];
    };
    expect(await checkpoint(1)).toEqual([2, false]);
    expect(await checkpoint(2)).toEqual([2, true]);
    await engine.run(database, ['DELETE FROM t WHERE id % 2 = 0', 'INSERT INTO t (a) VALUES (7)']);
    // A reader is in the way: everything may be copied, but the WAL cannot be truncated.
    const reader = await engine.run(database, ['BEGIN', 'SELECT count(*) FROM t']);
    await engine.run(database, ['INSERT INTO t (a) VALUES (8)']);
    expect(await checkpoint(5)).toEqual([5, false]);
    await engine.run(database, ['COMMIT'], { baton: reader.baton });
    for (let round = 0; round < 8; round++) await engine.run(database, [`INSERT INTO t (a) VALUES (${round})`]);
    // Nor while somebody writes.
    const writer = await engine.run(database, ['BEGIN IMMEDIATE']);
    expect(await checkpoint(13)).toEqual([13, false]);
    await engine.run(database, ['ROLLBACK'], { baton: writer.baton });
    expect(await checkpoint(13)).toEqual([13, true]);
    const { seenCommit } = await engine.run(database, ['INSERT INTO t (a) VALUES (9)']);
    expect(seenCommit).toBe(14);
    expect(onReplica(database, 'SELECT count(*) FROM t')).toEqual([[25n + 1n + 1n + 8n + 1n]]);
  });

  it('keeps the pace over many commits', async () => {
    const database = await engine.open(engineName);
    const inserts = Array.from({ length: 1_500 }, (_, index) => `INSERT INTO t (a) VALUES (${index})`);
    const answer = await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)', ...inserts]);
    expect(answer.seenCommit).toBe(1_501);
    expect(onReplica(database, 'SELECT count(*) FROM t')).toEqual([[1500n]]);
  });

  it('rolls back a transaction that writes too much before it commits', async () => {
    const database = await engine.open(engineName, { maxTransactionBytes: 2 * 1024 * 1024 });
    await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)']);
    const answer = await engine.run(database, [
      'BEGIN',
      fill(900, 3_000),
      'INSERT INTO t (a) VALUES (1)',
      'ROLLBACK',
      'SELECT count(*) FROM t',
    ]);
    // Like a transaction that is too old, it does not turn into autocommit unnoticed.
    expect(codes(answer)).toEqual([undefined, 'TRANSACTION_TOO_LARGE', 'TRANSACTION_TOO_LARGE', undefined, undefined]);
    expect(onReplica(database, 'SELECT count(*) FROM t')).toEqual([[0n]]);
    // The remains in the WAL do not count against the next transaction.
    expect(codes(await engine.run(database, ['BEGIN', 'INSERT INTO t (a) VALUES (2)', 'COMMIT']))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('gives a database up when one statement has committed too much', async () => {
    const database = await engine.open(engineName, { maxTransactionBytes: 1024 * 1024 });
    await engine.run(database, ['CREATE TABLE t (id INTEGER PRIMARY KEY, a)', 'INSERT INTO t (a) VALUES (1)']);
    const answer = await engine.run(database, ['INSERT INTO t (a) VALUES (2)', fill(900, 3_000), 'SELECT 1']);
    expect([answer.status, answer.error['code']]).toEqual([400, 'TRANSACTION_TOO_LARGE']);
    expect(answer.seenCommit).toBe(3);
    await engine.until((message) => (message.type === 'poisoned' && message.database === database ? true : undefined));
    expect(onReplica(database, 'SELECT count(*) FROM t')).toEqual([[2n]]);
    const other = await engine.open(engineName);
    expect(await engine.rows(other, 'SELECT 1')).toEqual([['1']]);
  });
});
