import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';
import type { RequestContext } from '../engine/process/request-context.js';
import type { RowSink, StatementOutcome } from '../engine/process/statement.js';
import type { Task } from '../engine/process/task.js';
import { ByocError } from '../errors/catalogue.js';
import { bindArguments } from './bind-arguments.js';
import { encodeColumns, encodeRow } from './encode-value.js';
import type { HranaStatement } from './protocol.js';
import type { Stream } from './stream.js';

/** Collects a result as JSON text up to a size. */
class CollectingSink implements RowSink {
  readonly #wantRows: boolean;
  readonly #maxBytes: number;
  columns = '[]';
  rows = '';

  constructor(wantRows: boolean, maxBytes: number) {
    this.#wantRows = wantRows;
    this.#maxBytes = maxBytes;
  }

  begin(columns: readonly ColumnInfo[]): void {
    this.columns = encodeColumns(columns);
  }

  row(values: readonly SqlValue[]): boolean {
    if (!this.#wantRows) return true;
    const row = encodeRow(values);
    this.rows = this.rows === '' ? row : `${this.rows},${row}`;
    return this.rows.length <= this.#maxBytes;
  }

  waitFor(): undefined {
    return undefined;
  }
}

/** Thrown for a result that does not fit; says what became of the statement. */
export function responseTooLarge(outcome: StatementOutcome | undefined, maxBytes: number): ByocError {
  const effect = outcome && outcome.changes > 0 ? '; what it wrote is not undone' : '';
  return new ByocError('RESPONSE_TOO_LARGE', `the result is larger than ${maxBytes} bytes${effect}`);
}

/**
 * Runs one statement and returns its result as JSON (Hrana's `StmtResult`) of at most `maxBytes`. Throws `ByocError`
 * and `EngineError` for errors of the statement, `RequestAbandoned`, `PoisonedError`.
 */
export function* runStatement(
  stream: Stream,
  statement: HranaStatement,
  context: RequestContext,
  maxBytes: number,
): Task<string> {
  const sql = stream.storedSql.resolve(statement.text);
  const sink = new CollectingSink(statement.wantRows, maxBytes);
  const outcome = yield* stream.session.run(
    { sql, bind: (plan) => bindArguments(plan.parameters, statement) },
    context,
    sink,
  );
  if (outcome.truncated) throw responseTooLarge(outcome, maxBytes);
  const result =
    `{"cols":${sink.columns},"rows":[${sink.rows}],"affected_row_count":${outcome.changes},` +
    `"last_insert_rowid":${outcome.lastInsertRowid === null ? 'null' : `"${outcome.lastInsertRowid}"`},` +
    `"replication_index":null,"rows_read":${outcome.rowsRead},"rows_written":${outcome.changes},` +
    `"query_duration_ms":${Math.round(outcome.durationMs * 1000) / 1000}}`;
  // One UTF-16 code unit takes three bytes at most, so that most results need no counting.
  if (result.length * 3 > maxBytes && Buffer.byteLength(result) > maxBytes) throw responseTooLarge(outcome, maxBytes);
  return result;
}
