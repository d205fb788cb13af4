import type { ColumnInfo, SqlValue } from '../adapters/adapter.js';
import type { StatementPlan } from '../sql-gate/statement-plan.js';
import type { Signal } from './task.js';

export interface StatementRequest {
  readonly sql: string;
  /** Values for the parameters of the statement in index order. Throws `ByocError`. */
  bind(plan: StatementPlan): readonly SqlValue[];
}

/** Takes the result of one statement. */
export interface RowSink {
  begin(columns: readonly ColumnInfo[]): void;
  /** Takes a row; false when no more are wanted. */
  row(values: readonly SqlValue[]): boolean;
  /** A signal to wait for before the next row of a statement that only reads, or undefined. */
  waitFor(): Signal | undefined;
}

export interface StatementOutcome {
  /** Rows inserted, updated or deleted. */
  readonly changes: number;
  /** Null unless the statement inserted. */
  readonly lastInsertRowid: bigint | null;
  /** Rows that came back; of PRAGMA and EXPLAIN none. Rows that were scanned and left out are not known. */
  readonly rowsRead: number;
  /** Rows inserted and updated, also by triggers, foreign keys and transactions that are rolled back; what DELETE removes is none. */
  readonly rowsWritten: number;
  readonly durationMs: number;
  /** True when the sink refused a row: the result is incomplete, but what the statement wrote is written. */
  readonly truncated: boolean;
}
