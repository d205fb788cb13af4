/**
 * One client's SQL session on a database: what a connection is to SQLite, without holding one all the time. It borrows
 * a pooled connection while a request runs and keeps it between requests only while a transaction is open or the
 * client changed the connection itself.
 *
 * Invariants
 * - A statement that may write runs only while the session holds the database's write lock, which it keeps until the
 *   transaction ends; commits are shipped before the lock is handed on.
 * - A transaction that the node rolled back, for its age or its size, is never followed by a silent autocommit: every
 *   statement fails until ROLLBACK or the end of the session.
 */
import { EngineError, type ColumnInfo } from '../adapters/adapter.js';
import { ByocError } from '../../errors/catalogue.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { DatabaseLimits } from '../ipc/messages.js';
import type { EndOfTransaction } from './commit-shipper.js';
import type { Connection, KnownStatement } from './connection.js';
import type { DatabaseHost } from './database-host.js';
import { executeStatement, transactionTimeout } from './execute-statement.js';
import { PoisonedError } from './poisoned.js';
import type { RequestContext } from './request-context.js';
import { limitGrowth, sizeLimitError } from './size-limit.js';
import { checkPermission, checkTables, needsWriteLock } from './statement-permission.js';
import type { RowSink, StatementOutcome, StatementRequest } from './statement.js';
import { Signal, type Task } from './task.js';

export interface StatementDescription {
  readonly plan: StatementPlan;
  readonly columns: readonly ColumnInfo[];
}

interface OpenTransaction {
  readonly startedAtMs: number;
  readonly readOnly: boolean;
  /** The commit it sees since its first statement; undefined before. */
  snapshot: { readonly commit: number; readonly checkpoints: number } | undefined;
  /** A part of it failed or was undone, which may have been all there was. */
  undone: boolean;
  schemaChanged: boolean;
}

/** A write transaction is stopped this much before its limit, because its COMMIT may still write what is in memory. */
const commitReserveBytes = 1024 * 1024;

export type SessionLimits = Pick<DatabaseLimits, 'transactionTimeoutMs' | 'requestTimeoutMs'>;

export class Session {
  readonly #host: DatabaseHost;
  readonly #limits: SessionLimits;
  #connection: Connection | undefined;
  #transaction: OpenTransaction | undefined;
  #connectionChanged = false;
  /** A statement was left active in the connection: nobody else may read through it. */
  #keepsSnapshot = false;
  /** Why the node rolled the transaction back, until the client has noticed. */
  #lost: ByocError | undefined;

  /** `limits`: @default those of the database */
  constructor(host: DatabaseHost, limits: SessionLimits = host.limits) {
    this.#host = host;
    this.#limits = limits;
  }

  /** False while a transaction is open, and after it was rolled back until the client has noticed. */
  get isAutocommit(): boolean {
    return this.#transaction === undefined && this.#lost === undefined;
  }

  /** True when the session has state that the next request of its stream relies on. */
  get mustBeKept(): boolean {
    return !this.isAutocommit || this.#connectionChanged;
  }

  /** When the open transaction will be too old, on the monotonic clock; undefined without one. */
  get transactionDeadlineMs(): number | undefined {
    return this.#transaction && this.#transaction.startedAtMs + this.#limits.transactionTimeoutMs;
  }

  /**
   * Runs one statement. Throws `ByocError` and `EngineError` for errors of the statement, `RequestAbandoned`, and
   * `PoisonedError` when the database is lost.
   */
  *run(statement: StatementRequest, context: RequestContext, sink: RowSink): Task<StatementOutcome> {
    const host = this.#host;
    const { sql } = statement;
    context.throwIfTooLong(this.#limits.requestTimeoutMs);
    let connection = yield* this.#connect(context);
    host.recorder.begin(context.request, host.database);
    let known = this.#know(connection, sql);
    const { plan } = known;
    if (this.#lost) {
      if (plan.transactionControl !== 'rollback') throw this.#lost;
      this.#lost = undefined;
      sink.begin([]);
      return { changes: 0, lastInsertRowid: null, rowsRead: 0, rowsWritten: 0, durationMs: 0, truncated: false };
    }
    checkPermission(plan, {
      readOnlyRequest: context.readOnly,
      holdsWriteLock: host.writeLock.isHeldBy(this),
      readOnlyTransaction: this.#transaction?.readOnly ?? false,
    });
    const values = statement.bind(plan);
    let outcome: StatementOutcome | undefined;
    let hasRun = false;
    try {
      if (needsWriteLock(plan) && !host.writeLock.isHeldBy(this)) {
        yield* this.#takeWriteLock(context);
        host.recorder.begin(context.request, host.database);
        known = this.#know(connection, sql);
      }
      if (plan.transactionControl === 'commit') this.#limitTransaction(connection);
      this.#noteSnapshot(plan);
      checkTables(connection, sql, context);
      let prepared = connection.prepare(known);
      if (prepared.readsConnectionState && this.#carriesForeignState(connection)) {
        connection = this.#exchange(connection);
        prepared = connection.prepare(this.#know(connection, sql));
      }
      if (needsWriteLock(plan)) limitGrowth(connection, plan, host.limits.maxPages, context);
      const { transactionDeadlineMs } = this;
      hasRun = true;
      outcome = yield* executeStatement({
        host,
        connection,
        sql,
        plan,
        prepared,
        values,
        context,
        sink,
        transactionDeadlineMs,
      });
      return outcome;
    } catch (error) {
      host.poisonIfNeeded(error);
      // The libSQL binding leaves a statement that the engine refused for that active, and with it the snapshot of its connection.
      if (hasRun && error instanceof EngineError && error.code === 'SQLITE_BUSY') this.#keepsSnapshot = true;
      throw sizeLimitError(error, context);
    } finally {
      this.#settle(connection, plan, outcome !== undefined);
    }
  }

  /** A statement's plan and result columns, without running it. Throws `ByocError`, `EngineError`. */
  *describe(sql: string, context: RequestContext): Task<StatementDescription> {
    const connection = yield* this.#connect(context);
    this.#host.recorder.begin(context.request, this.#host.database);
    const known = this.#know(connection, sql);
    checkTables(connection, sql, context);
    // Nobody asked for it to be run, and the write lock is not held.
    if (known.plan.takesEffectWhenCompiled) return { plan: known.plan, columns: [] };
    try {
      this.#noteSnapshot(known.plan);
      return { plan: known.plan, columns: connection.prepare(known).columns };
    } catch (error) {
      this.#host.poisonIfNeeded(error);
      throw error;
    }
  }

  /** Rolls a transaction back that is too old; to be called between requests. */
  expireTransaction(): void {
    const deadlineMs = this.transactionDeadlineMs;
    if (deadlineMs === undefined || this.#host.runtime.monotonicMs() < deadlineMs) return;
    this.#rollback();
    this.#lost = transactionTimeout(this.#host);
    this.endRequest(true);
  }

  /** Gives the connection back unless the next request needs this very one. */
  endRequest(comesBack: boolean): void {
    const connection = this.#connection;
    if (!connection || this.#host.ended) return;
    if (comesBack && (this.#transaction || this.#connectionChanged)) return;
    this.#connection = undefined;
    const { pool } = this.#host;
    const keepsSnapshot = this.#keepsSnapshot;
    this.#keepsSnapshot = false;
    if (this.#connectionChanged || keepsSnapshot) this.#discard(connection);
    else pool.release(connection, comesBack && connection.lastWriter === this ? this : undefined);
  }

  /** Ends the session: an open transaction is rolled back, a changed connection closed. */
  close(): void {
    if (this.#host.ended) return;
    this.#rollback();
    this.endRequest(false);
    this.#host.pool.dropClaim(this);
  }

  #discard(connection: Connection): void {
    try {
      this.#host.pool.discard(connection);
    } catch (error) {
      this.#host.poisonIfNeeded(new PoisonedError(`a connection cannot be replaced: ${String(error)}`));
    }
  }

  *#connect(context: RequestContext): Task<Connection> {
    context.throwIfAbandoned();
    this.#host.throwIfEnded();
    if (this.#isTransactionOld()) {
      this.#rollback();
      this.#lost = transactionTimeout(this.#host);
    }
    const deadlineMs = this.#host.runtime.monotonicMs() + this.#host.limits.writeLockTimeoutMs;
    while (!this.#connection) {
      const acquired = this.#host.pool.acquire(this);
      if (acquired instanceof Signal) {
        const restMs = deadlineMs - this.#host.runtime.monotonicMs();
        if (restMs <= 0) throw new ByocError('TRANSACTION_BUSY', 'too many transactions are open on this database');
        yield* context.park(acquired, restMs);
        this.#host.throwIfEnded();
      } else {
        this.#connection = acquired;
      }
    }
    return this.#connection;
  }

  #know(connection: Connection, sql: string): KnownStatement {
    try {
      return connection.know(sql, this.#host.schemaVersion);
    } catch (error) {
      this.#host.poisonIfNeeded(error);
      throw this.#lost ?? error;
    }
  }

  /** A transaction sees the database as it is when its first statement is prepared. */
  #noteSnapshot(plan: StatementPlan): void {
    if (!this.#transaction || plan.transactionControl !== null) return;
    const { commit, checkpoints } = this.#host;
    this.#transaction.snapshot ??= { commit, checkpoints };
  }

  /** Waits for the write lock. Throws TRANSACTION_BUSY, TRANSACTION_TIMEOUT, SQLITE_BUSY_SNAPSHOT. */
  *#takeWriteLock(context: RequestContext): Task {
    const { writeLock, runtime, limits } = this.#host;
    const signal = writeLock.acquire(this);
    if (signal) {
      const waitUntilMs = runtime.monotonicMs() + limits.writeLockTimeoutMs;
      const untilMs = Math.min(waitUntilMs, this.transactionDeadlineMs ?? waitUntilMs);
      try {
        yield* context.park(signal, untilMs - runtime.monotonicMs());
        this.#host.throwIfEnded();
      } catch (error) {
        // The lock may have been handed over in the same moment; it must not stay with a request that is gone.
        writeLock.release(this);
        throw error;
      }
      if (!writeLock.isHeldBy(this)) {
        writeLock.release(this);
        if (this.#isTransactionOld()) throw transactionTimeout(this.#host);
        throw new ByocError('TRANSACTION_BUSY', 'database is locked: another transaction is writing');
      }
    }
    const { commit, checkpoints } = this.#host;
    const snapshot = this.#transaction?.snapshot;
    if (snapshot && (snapshot.commit !== commit || snapshot.checkpoints !== checkpoints)) {
      // The engine would find out, too, but the libSQL binding then leaves a statement that pins the old snapshot.
      writeLock.release(this);
      throw new EngineError(
        'SQLITE_BUSY',
        'database is locked: the database changed after this transaction read it',
        'SQLITE_BUSY_SNAPSHOT',
      );
    }
  }

  /** Brings the session up to date with what a statement did. */
  #settle(connection: Connection, plan: StatementPlan, succeeded: boolean): void {
    const host = this.#host;
    if (host.ended) return;
    const control = plan.transactionControl;
    if (succeeded && plan.changesSession) {
      this.#connectionChanged = true;
      connection.isolate(host.newGate);
    }
    if (!plan.isReadOnly && control === null) connection.lastWriter = this;
    const before = this.#transaction;
    if (connection.engine.inTransaction) {
      const open = (this.#transaction ??= {
        startedAtMs: host.runtime.monotonicMs(),
        readOnly: control === 'begin-readonly',
        snapshot: undefined,
        undone: false,
        schemaChanged: false,
      });
      open.undone ||= !succeeded || control === 'rollback-to';
      open.schemaChanged ||= plan.changesSchema;
      if (plan.changesSchema || (control === 'rollback-to' && open.schemaChanged)) connection.isolate(host.newGate);
      if (this.#isTransactionOld()) {
        this.#rollback();
        this.#lost = transactionTimeout(this.#host);
      } else if (control === null && !plan.isReadOnly) {
        this.#limitTransaction(connection);
      }
      return;
    }
    this.#transaction = undefined;
    const committed = succeeded && control !== 'rollback';
    if (host.writeLock.isHeldBy(this)) {
      this.#endWrite(connection, committed && !before?.undone ? 'committed' : 'unclear');
    }
    if (before?.schemaChanged) this.#shareAgain(connection);
    if (committed && (plan.changesSchema || before?.schemaChanged)) host.schemaChanged();
  }

  #endWrite(connection: Connection, ended: EndOfTransaction): void {
    const host = this.#host;
    try {
      // Also after a failure: INSERT OR FAIL keeps the rows before the one that failed.
      host.shipCommits(ended, connection);
      if (ended === 'unclear') host.discardRemains(connection);
    } finally {
      host.writeLock.release(this);
    }
  }

  /** Rolls the transaction back and throws TRANSACTION_TOO_LARGE when it has written too much. */
  #limitTransaction(connection: Connection): void {
    const host = this.#host;
    if (!host.writeLock.isHeldBy(this) || !this.#transaction) return;
    const { maxTransactionBytes } = host.limits;
    const reserveBytes = Math.min(commitReserveBytes, Math.floor(maxTransactionBytes / 4));
    const writtenBytes = host.uncommittedBytes();
    if (writtenBytes <= maxTransactionBytes - reserveBytes) return;
    this.#rollbackOn(connection);
    this.#lost = new ByocError(
      'TRANSACTION_TOO_LARGE',
      `the transaction has written ${writtenBytes} bytes of at most ${maxTransactionBytes}; it was rolled back`,
    );
    throw this.#lost;
  }

  #rollback(): void {
    if (this.#connection) this.#rollbackOn(this.#connection);
  }

  #rollbackOn(connection: Connection): void {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (connection.engine.inTransaction) {
      try {
        connection.engine.exec('ROLLBACK');
      } catch (error) {
        this.#host.poisonIfNeeded(error);
        // A connection that cannot end its transaction is of no use to anybody.
        this.#connectionChanged = true;
      }
    }
    if (this.#host.writeLock.isHeldBy(this)) this.#endWrite(connection, 'unclear');
    if (transaction?.schemaChanged) this.#shareAgain(connection);
  }

  /** The connection sees the committed schema again, unless the client gave it objects of its own. */
  #shareAgain(connection: Connection): void {
    if (this.#connectionChanged) connection.isolate(this.#host.newGate);
    else connection.share();
  }

  #isTransactionOld(): boolean {
    const deadlineMs = this.transactionDeadlineMs;
    return deadlineMs !== undefined && this.#host.runtime.monotonicMs() >= deadlineMs;
  }

  #carriesForeignState(connection: Connection): boolean {
    const { lastWriter } = connection;
    return lastWriter !== undefined && lastWriter !== this && this.isAutocommit && !this.#connectionChanged;
  }

  #exchange(connection: Connection): Connection {
    const fresh = this.#host.pool.acquireUntouched();
    this.#connection = fresh;
    this.#host.pool.release(connection, undefined);
    return fresh;
  }
}
