/**
 * Many clients move money between accounts at once, in every way the protocol offers, and give up at any point. Nobody
 * may ever see a wrong sum, nothing but a stale snapshot may fail, and the commit messages alone must make the same
 * database. Replay a failure with the environment variable SEED.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { libsqlAdapter } from '../../src/engine/adapters/libsql.js';
import { seededRandom, testSeeds, type SeededRandom } from '../seeded-random.js';
import { EngineUnderTest, cursorLines, type Failure } from './engine-under-test.js';

const accounts = 20;
const clients = 6;
const roundsPerClient = 40;
const total = accounts * 100;

const sumQuery = 'SELECT sum(balance) FROM accounts';

class Client {
  readonly #engine: EngineUnderTest;
  readonly #database: number;
  readonly #random: SeededRandom;

  constructor(engine: EngineUnderTest, database: number, random: SeededRandom) {
    this.#engine = engine;
    this.#database = database;
    this.#random = random;
  }

  async round(): Promise<void> {
    switch (this.#random.below(8)) {
      case 0:
        return this.#batch();
      case 1:
        return this.#cursorBatch();
      case 2:
        return this.#changeSchema();
      case 3:
        return this.#checkpoint();
      case 4:
        return this.#look();
      default:
        return this.#stepwise();
    }
  }

  #transfer(): string[] {
    const amount = this.#random.below(50);
    const [from, to] = [this.#random.below(accounts), this.#random.below(accounts)];
    return [
      `UPDATE accounts SET balance = balance - ${amount} WHERE id = ${from}`,
      `UPDATE accounts SET balance = balance + ${amount} WHERE id = ${to}`,
    ];
  }

  #begin(): string {
    return this.#random.below(2) === 0 ? 'BEGIN' : 'BEGIN IMMEDIATE';
  }

  /** A transaction over several requests, which may stop anywhere. */
  async #stepwise(): Promise<void> {
    let baton: string | null = null;
    const steps = [this.#begin(), sumQuery, ...this.#transfer(), sumQuery];
    const leaveAfter = this.#random.below(12);
    for (const [index, sql] of steps.entries()) {
      const answer = await this.#engine.run(this.#database, [sql], { baton });
      expect(answer.status).toBe(200);
      ({ baton } = answer);
      const [result] = answer.results;
      if (result?.error) {
        expectStaleSnapshot(result.error);
        break;
      }
      const isBetween = index === 2;
      if (sql === sumQuery && !isBetween) expect(result?.response?.result?.rows).toEqual([[integer(total)]]);
      if (index === leaveAfter) {
        if (this.#random.below(2) === 0) await this.#engine.pipeline(this.#database, [{ type: 'close' }], { baton });
        else await this.#cancelled(baton);
        return;
      }
    }
    const end = this.#random.below(4) === 0 ? 'ROLLBACK' : 'COMMIT';
    expect((await this.#engine.run(this.#database, [end], { baton })).baton).toBeNull();
  }

  async #cancelled(baton: string | null): Promise<void> {
    const requests = Array.from({ length: 200 }, () => ({ type: 'execute', stmt: { sql: sumQuery } }));
    const request = this.#engine.post(this.#database, { baton, requests });
    this.#engine.send({ type: 'cancel', request });
    const answer = await this.#engine.answer(request);
    // It may have been through before it was cancelled; then its stream waits for the next request.
    if (answer.status === 200)
      await this.#engine.pipeline(this.#database, [{ type: 'close' }], { baton: answer.baton });
  }

  #batchSteps(): unknown[] {
    const [debit = '', credit = ''] = this.#transfer();
    const after = (step: number): unknown => ({ type: 'ok', step });
    return [
      { stmt: { sql: this.#begin() } },
      { stmt: { sql: debit }, condition: after(0) },
      { stmt: { sql: credit }, condition: after(1) },
      { stmt: { sql: 'COMMIT' }, condition: after(2) },
      { stmt: { sql: 'ROLLBACK' }, condition: { type: 'not', cond: after(3) } },
    ];
  }

  async #batch(): Promise<void> {
    const answer = await this.#engine.pipeline(this.#database, [
      { type: 'batch', batch: { steps: this.#batchSteps() } },
    ]);
    expect(answer.results[0]?.response?.result?.step_errors).toEqual([null, null, null, null, null]);
    expect(answer.baton).toBeNull();
  }

  async #cursorBatch(): Promise<void> {
    const lines = await this.#engine.cursor(this.#database, this.#batchSteps());
    expect(lines.filter(({ type }) => type === 'step_error' || type === 'error')).toEqual([]);
  }

  /** Reads through a cursor that may be left in the middle. */
  async #look(): Promise<void> {
    const sql =
      'SELECT sum(balance), zeroblob(400000) FROM accounts UNION ALL SELECT id, zeroblob(50000) FROM accounts';
    const request = this.#engine.post(this.#database, { batch: { steps: [{ stmt: { sql } }] } }, { kind: 'v3-cursor' });
    if (this.#random.below(2) === 0) this.#engine.send({ type: 'credit', request, bytes: 100_000_000 });
    else this.#engine.send({ type: 'cancel', request });
    const rows = cursorLines(await this.#engine.parts(request)).filter(({ type }) => type === 'row');
    const [first] = rows as { row: unknown[] }[];
    if (first) expect(first.row[0]).toEqual(integer(total));
  }

  async #changeSchema(): Promise<void> {
    const name = `i${this.#random.below(3)}`;
    const end = this.#random.below(2) === 0 ? 'COMMIT' : 'ROLLBACK';
    const sqls = ['BEGIN IMMEDIATE', `DROP INDEX IF EXISTS ${name}`, `CREATE INDEX ${name} ON accounts (balance)`, end];
    const { results } = await this.#engine.run(this.#database, sqls);
    expect(results.map(({ error }) => error)).toEqual(sqls.map(() => undefined));
  }

  async #checkpoint(): Promise<void> {
    const { seenCommit } = await this.#engine.run(this.#database, [sumQuery]);
    this.#engine.send({ type: 'checkpoint', database: this.#database, commit: seenCommit });
  }
}

const integer = (value: number): unknown => ({ type: 'integer', value: String(value) });

function expectStaleSnapshot(error: Failure): void {
  expect([error.code, error.extended_code]).toEqual(['SQLITE_BUSY', 'SQLITE_BUSY_SNAPSHOT']);
}

describe.each(['libsql', 'tursodb'] as const)('a bank in %s', (engineName) => {
  it.each(testSeeds(3))('always balances (seed %d)', async (seed) => {
    const random = seededRandom(seed);
    const engine = new EngineUnderTest();
    try {
      const database = await engine.open(engineName);
      const values = Array.from({ length: accounts }, (_, id) => `(${id}, 100)`).join();
      await engine.run(database, [
        'CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)',
        `INSERT INTO accounts VALUES ${values}`,
      ]);
      await Promise.all(
        Array.from({ length: clients }, async () => {
          const client = new Client(engine, database, seededRandom(random.below(2 ** 31)));
          for (let round = 0; round < roundsPerClient; round++) await client.round();
        }),
      );
      const rows = await engine.rows(database, 'SELECT id, balance FROM accounts ORDER BY id');
      const path = join(engine.directory, 'replica');
      writeFileSync(path, engine.replica(database));
      const replica = libsqlAdapter.open(path, { maxPages: 100_000 });
      expect([...replica.prepare('PRAGMA integrity_check').rows([])]).toEqual([['ok']]);
      const copied = [...replica.prepare('SELECT id, balance FROM accounts ORDER BY id').rows([])];
      expect(copied.map((row) => row.map(String))).toEqual(rows);
      replica.close();
      expect(engine.standardError).toBe('');
      expect(engine.messages.some(({ type }) => type === 'poisoned')).toBe(false);
    } finally {
      await engine.dispose();
    }
  });
});
