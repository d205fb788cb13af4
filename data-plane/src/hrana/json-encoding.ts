/** Hrana in JSON. Text is put together by hand: this is the inner loop of every query. */
import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';
import type { StatementOutcome } from '../engine/process/statement.js';
import { decodeCursorRequest, decodePipelineRequest } from './decode-request.js';
import { encodeColumns, encodeRow, quote } from './encode-value.js';
import type { CursorBuffer, HranaEncoding, ResultCollector } from './encoding.js';
import { shortened } from './stream-error.js';

export const jsonEncoding: HranaEncoding<string> = {
  decodePipeline: decodePipelineRequest,
  decodeCursor: decodeCursorRequest,

  size: (piece) => piece.length,
  // One UTF-16 code unit takes three bytes at most, so that most results need no counting.
  isLongerThan: (piece, maxBytes) => piece.length * 3 > maxBytes && Buffer.byteLength(piece) > maxBytes,

  collectResult: (wantRows, maxBytes) => new JsonResultCollector(wantRows, maxBytes),
  batchResult: (results, errors) => `{"step_results":${nullable(results)},"step_errors":${nullable(errors)}}`,
  description: ({ plan, columns }) => {
    const parameters = plan.parameters.map((name) => `{"name":${name === null ? 'null' : quote(name)}}`).join(',');
    return (
      `{"params":[${parameters}],"cols":${encodeColumns(columns)},` +
      `"is_explain":${plan.isExplain},"is_readonly":${plan.isReadOnly}}`
    );
  },
  response: (type, content) =>
    content === undefined ? `{"type":"${type}"}` : `{"type":"${type}","result":${content}}`,
  autocommitResponse: (isAutocommit) => `{"type":"get_autocommit","is_autocommit":${isAutocommit}}`,
  error: ({ message, code, extendedCode }, maxCharacters) => {
    const extended = extendedCode === undefined ? '' : `,"extended_code":${quote(extendedCode)}`;
    return `{"message":${quote(shortened(message, maxCharacters))},"code":${quote(code)}${extended}}`;
  },
  streamResult: (state, content) =>
    state === 'ok' ? `{"type":"ok","response":${content}}` : `{"type":"error","error":${content}}`,
  sendPipelineAnswer: (response, seenCommit, baton, results) => {
    const next = baton === null ? 'null' : quote(baton);
    response.sendText(200, seenCommit, `{"baton":${next},"base_url":null,"results":[${results.join(',')}]}`);
  },

  newCursorBuffer: () => new JsonLines(),
  cursorHead: (baton) => `{"baton":${quote(baton)},"base_url":null}`,
  stepBegin: (step, columns) => `{"type":"step_begin","step":${step},"cols":${encodeColumns(columns)}}`,
  cursorRow: (values) => `{"type":"row","row":${encodeRow(values)}}`,
  stepEnd: ({ changes, lastInsertRowid }) =>
    `{"type":"step_end","affected_row_count":${changes},"last_insert_rowid":${lastInsertRowid ?? 'null'}}`,
  stepError: (step, error) => `{"type":"step_error","step":${step},"error":${jsonEncoding.error(error)}}`,
  cursorError: (error) => `{"type":"error","error":${jsonEncoding.error(error)}}`,
  cursorEnd: '{"type":"replication_index","replication_index":null}',
};

/** Collects Hrana's `StmtResult`. */
class JsonResultCollector implements ResultCollector<string> {
  readonly #wantRows: boolean;
  readonly #maxBytes: number;
  #columns = '[]';
  #rows = '';

  constructor(wantRows: boolean, maxBytes: number) {
    this.#wantRows = wantRows;
    this.#maxBytes = maxBytes;
  }

  begin(columns: readonly ColumnInfo[]): void {
    this.#columns = encodeColumns(columns);
  }

  row(values: readonly SqlValue[]): boolean {
    if (!this.#wantRows) return true;
    const row = encodeRow(values);
    this.#rows = this.#rows === '' ? row : `${this.#rows},${row}`;
    return this.#rows.length <= this.#maxBytes;
  }

  waitFor(): undefined {
    return undefined;
  }

  finish({ changes, lastInsertRowid, rowsRead, rowsWritten, durationMs }: StatementOutcome): string {
    return (
      `{"cols":${this.#columns},"rows":[${this.#rows}],"affected_row_count":${changes},` +
      `"last_insert_rowid":${lastInsertRowid === null ? 'null' : `"${lastInsertRowid}"`},` +
      `"replication_index":null,"rows_read":${rowsRead},"rows_written":${rowsWritten},` +
      `"query_duration_ms":${Math.round(durationMs * 1000) / 1000}}`
    );
  }
}

class JsonLines implements CursorBuffer<string> {
  #text = '';

  get size(): number {
    return this.#text.length;
  }

  add(entry: string): void {
    this.#text += `${entry}\n`;
  }

  take(): Buffer {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    return bytes;
  }
}

function nullable(pieces: readonly (string | undefined)[]): string {
  return `[${pieces.map((piece) => piece ?? 'null').join(',')}]`;
}
