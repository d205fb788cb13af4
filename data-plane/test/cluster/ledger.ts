/**
 * One database under the cluster test, and what is known of it.
 *
 * Transaction `n` inserts one or several rows `(n, part, parts)`; one with several parts also moves `n` from account 1 to
 * account 2. Hence, in every state that a reader may see: the accounts' sum is zero, account 2 holds the sum of all `n` with
 * several parts, and every `n` is there with all its parts or not at all. Rows are never deleted, so their number only
 * grows: a read that begins after a transaction was acknowledged, or after another read has counted it, must count it too.
 */
import type { Client, InStatement } from '@libsql/client';
import type { TestDatabase } from '../support/data-node.js';

/** Errors that say that a transaction had no effect. */
const refusals = new Set([
  'DATABASE_MOVED',
  'ENGINE_RESTARTED',
  'NOT_READY',
  'OVERLOADED',
  'SHUTTING_DOWN',
  'TRANSACTION_BUSY',
  'TRANSACTION_TIMEOUT',
]);

const schema = [
  'CREATE TABLE entries (n INTEGER, part INTEGER, parts INTEGER, PRIMARY KEY (n, part))',
  'CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER)',
  'INSERT INTO accounts VALUES (1, 0), (2, 0)',
];

const summary = `SELECT
  (SELECT count(DISTINCT n) FROM entries) AS transactions,
  (SELECT coalesce(max(n), 0) FROM entries) AS last,
  (SELECT count(*) FROM (SELECT 1 FROM entries GROUP BY n HAVING count(*) <> max(parts))) AS incomplete,
  (SELECT sum(balance) FROM accounts) AS total,
  (SELECT balance FROM accounts WHERE id = 2) - (SELECT coalesce(sum(n), 0) FROM entries WHERE part = 0 AND parts > 1)
    AS unpaid`;

export type TransactionKind = 'one row' | 'several rows' | 'interactive';

export interface LedgerFailure {
  readonly kind: 'lost' | 'stale' | 'torn' | 'refused but there' | 'never sent' | 'damaged';
  readonly database: string;
  readonly what: string;
}

export class Ledger {
  readonly database: TestDatabase;
  readonly acknowledged = new Set<number>();
  readonly unknown = new Set<number>();
  readonly refused = new Set<number>();
  readonly #report: (failure: LedgerFailure) => void;
  /** The most transactions that any finished read has counted. */
  #counted = 0;
  #lastAcknowledged = 0;
  #next = 1;

  constructor(database: TestDatabase, report: (failure: LedgerFailure) => void) {
    this.database = database;
    this.#report = report;
  }

  async create(client: Client): Promise<void> {
    await client.batch(schema, 'write');
  }

  /** Runs the next transaction. Throws what the client throws when it was not acknowledged. */
  async write(client: Client, kind: TransactionKind, parts: number): Promise<void> {
    const n = this.#next++;
    this.unknown.add(n);
    try {
      await perform(client, kind, n, kind === 'one row' ? 1 : parts);
    } catch (error) {
      if (refusals.has(errorCode(error))) {
        this.unknown.delete(n);
        this.refused.add(n);
      }
      throw error;
    }
    this.unknown.delete(n);
    this.acknowledged.add(n);
    this.#lastAcknowledged = Math.max(this.#lastAcknowledged, n);
  }

  /** Reads the state in one statement and checks it. Throws what the client throws when it got no answer. */
  async read(client: Client): Promise<void> {
    const leastTransactions = Math.max(this.acknowledged.size, this.#counted);
    const leastLast = this.#lastAcknowledged;
    const { rows } = await client.execute(summary);
    const { transactions, last, incomplete, total, unpaid } = rows[0] as unknown as Record<string, number>;
    const seen = JSON.stringify(rows[0]);
    if (Number(transactions) < leastTransactions || Number(last) < leastLast) {
      this.#fail('stale', `${seen}, though ${leastTransactions} transactions up to ${leastLast} were there before`);
    }
    if (incomplete !== 0 || total !== 0 || unpaid !== 0) this.#fail('torn', seen);
    this.#counted = Math.max(this.#counted, Number(transactions));
  }

  /** Compares every transaction with what is known of it. Throws what the client throws when it got no answer. */
  async check(client: Client, { thoroughly = false } = {}): Promise<void> {
    const acknowledged = [...this.acknowledged];
    await this.read(client);
    const { rows } = await client.execute('SELECT n, count(*) AS present, max(parts) AS parts FROM entries GROUP BY n');
    const present = new Set<number>();
    for (const row of rows) {
      const n = Number(row['n']);
      present.add(n);
      if (row['present'] !== row['parts']) this.#fail('torn', `transaction ${n}: ${JSON.stringify(row)}`);
      if (this.refused.has(n)) this.#fail('refused but there', `transaction ${n}`);
      if (n >= this.#next) this.#fail('never sent', `transaction ${n}`);
    }
    for (const n of acknowledged) if (!present.has(n)) this.#fail('lost', `transaction ${n}`);
    if (!thoroughly) return;
    const integrity = (await client.execute('PRAGMA integrity_check')).rows[0]?.[0];
    if (integrity !== 'ok') this.#fail('damaged', `integrity_check says ${JSON.stringify(integrity)}`);
  }

  #fail(kind: LedgerFailure['kind'], what: string): void {
    this.#report({ kind, database: this.database.name, what });
  }
}

/** The code that the server gave, or a word of the client's own. */
export function errorCode(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'NO_ANSWER';
}

async function perform(client: Client, kind: TransactionKind, n: number, parts: number): Promise<void> {
  const statements: InStatement[] = Array.from({ length: parts }, (_, part) => ({
    sql: 'INSERT INTO entries VALUES (?, ?, ?)',
    args: [n, part, parts],
  }));
  if (parts > 1) {
    statements.push({ sql: 'UPDATE accounts SET balance = balance - ? WHERE id = 1', args: [n] });
    statements.push({ sql: 'UPDATE accounts SET balance = balance + ? WHERE id = 2', args: [n] });
  }
  if (kind === 'one row') {
    await client.execute(statements[0] as InStatement);
    return;
  }
  if (kind === 'several rows') {
    await client.batch(statements, 'write');
    return;
  }
  const transaction = await client.transaction('write');
  try {
    for (const statement of statements) await transaction.execute(statement);
    await transaction.commit();
  } finally {
    transaction.close();
  }
}
