import type { SqlValue } from '../adapters/adapter.js';
import { ByocError } from '../../errors/catalogue.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { Connection, PreparedStatement } from './connection.js';
import type { DatabaseHost } from './database-host.js';
import type { RequestContext } from './request-context.js';
import type { RowSink, StatementOutcome } from './statement.js';
import type { Signal, Task } from './task.js';

/** How many rows are handed over between two chances for others to run. */
const rowsPerYield = 16;

export interface Execution {
  readonly host: DatabaseHost;
  readonly connection: Connection;
  readonly sql: string;
  readonly plan: StatementPlan;
  readonly prepared: PreparedStatement;
  readonly values: readonly SqlValue[];
  readonly context: RequestContext;
  readonly sink: RowSink;
  /** When the open transaction will be too old, on the monotonic clock; undefined without one. */
  readonly transactionDeadlineMs: number | undefined;
}

/** The error of every statement that meets a transaction which is too old. */
export function transactionTimeout(host: DatabaseHost): ByocError {
  return new ByocError(
    'TRANSACTION_TIMEOUT',
    `the transaction was open for more than ${host.limits.transactionTimeoutMs} ms and was rolled back`,
  );
}

/**
 * Steps through one prepared statement that may run now. Throws `EngineError`; TRANSACTION_TIMEOUT when its transaction
 * became too old between two rows; STREAM_EXPIRED when the client takes no more rows; `RequestAbandoned`;
 * `PoisonedError`.
 */
export function* executeStatement(execution: Execution): Task<StatementOutcome> {
  const { host, connection, sql, plan, prepared, values, sink } = execution;
  const { statement, columns } = prepared;
  const startedAtMs = host.runtime.monotonicMs();
  let rowsRead = 0;
  let truncated = false;
  let changes = 0;
  let lastInsertRowid: bigint | null = null;
  const countsWrites = prepared.changesRows;
  const changesBefore = countsWrites ? connection.engine.totalChanges() : 0;
  let rowsWritten = 0;
  let durationMs = 0;
  try {
    sink.begin(columns);
    if (columns.length === 0) {
      if (plan.transactionControl === 'begin-readonly' && host.engine === 'tursodb') {
        // The Turso engine does not know this form of BEGIN; the session keeps writes out of the transaction.
        connection.engine.exec('BEGIN');
      } else {
        const result = statement.run(values);
        if (prepared.changesRows) changes = result.changes;
        if (prepared.inserts) lastInsertRowid = result.lastInsertRowid;
      }
    } else {
      let finished = false;
      try {
        if (plan.isReadOnly) {
          for (const row of statement.rows(values)) {
            rowsRead++;
            if (!sink.row(row)) {
              truncated = true;
              break;
            }
            const signal = sink.waitFor();
            if (signal || rowsRead % rowsPerYield === 0) yield* pause(execution, signal);
          }
          finished = !truncated;
        } else {
          // Its rows are all there with the first step; it runs to its end, so that the lock is not held for a reader.
          for (const row of statement.rows(values)) {
            rowsRead++;
            truncated ||= !sink.row(row);
          }
          finished = true;
        }
      } finally {
        if (!finished) connection.forget(sql);
      }
      if (prepared.changesRows) {
        const result = connection.engine.lastChange();
        changes = result.changes;
        if (prepared.inserts) lastInsertRowid = result.lastInsertRowid;
      }
    }
    durationMs = host.runtime.monotonicMs() - startedAtMs;
    rowsWritten = countsWrites ? Math.max(0, connection.engine.totalChanges() - changesBefore) : 0;
    if (prepared.deletes) rowsWritten -= Math.min(rowsWritten, changes);
  } finally {
    // Also of a statement that failed or was left: what came out of it until then was read.
    if (prepared.isFreeToRead) rowsRead = 0;
    host.usage.count(rowsRead, rowsWritten, plan.transactionControl === null ? prepared.shape : undefined);
  }
  return { changes, lastInsertRowid, rowsRead, rowsWritten, durationMs, truncated };
}

/** Between two rows: lets others run, or waits for the client to take what it has. */
function* pause(execution: Execution, signal: Signal | undefined): Task {
  const { host, context, transactionDeadlineMs } = execution;
  const { runtime, limits } = host;
  if (signal) {
    const expiresAtMs = runtime.monotonicMs() + limits.streamIdleTimeoutMs;
    const untilMs = Math.min(expiresAtMs, transactionDeadlineMs ?? expiresAtMs);
    yield* context.park(signal, untilMs - runtime.monotonicMs());
    if (runtime.monotonicMs() >= expiresAtMs) {
      throw new ByocError('STREAM_EXPIRED', 'the client did not take the response in time');
    }
  } else {
    yield* context.giveWay();
  }
  host.throwIfEnded();
  context.throwIfAbandoned();
  if (transactionDeadlineMs !== undefined && runtime.monotonicMs() >= transactionDeadlineMs) {
    throw transactionTimeout(host);
  }
  host.recorder.begin(context.request, host.database);
}
