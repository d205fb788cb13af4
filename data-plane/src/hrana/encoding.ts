import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { RowSink, StatementOutcome } from '../engine/process/statement.js';
import type { StatementDescription } from '../engine/process/session.js';
import type { CursorRequest, PipelineRequest, StreamRequest } from './protocol.js';
import type { StreamError } from './stream-error.js';

/**
 * One encoding of the protocol: how a request is read and how its answer is written. What a request means is decided
 * elsewhere, once for all of them. `Piece` is a part of an answer in the making: text, or bytes.
 */
export interface HranaEncoding<Piece> {
  /** Throws MALFORMED_REQUEST. */
  decodePipeline(body: Buffer): PipelineRequest;
  /** Throws MALFORMED_REQUEST. */
  decodeCursor(body: Buffer): CursorRequest;

  /** What a piece takes in the answer, in bytes or UTF-16 code units: for accounting, not exact. */
  size(piece: Piece): number;
  /** Exact. */
  isLongerThan(piece: Piece, maxBytes: number): boolean;

  /** Takes the result of one statement; refuses rows beyond `maxBytes`. */
  collectResult(wantRows: boolean, maxBytes: number): ResultCollector<Piece>;
  /** Of a batch, step by step; undefined for none. */
  batchResult(results: readonly (Piece | undefined)[], errors: readonly (Piece | undefined)[]): Piece;
  description(description: StatementDescription): Piece;
  /** `content`: the result, where the kind of request has one. */
  response(type: StreamRequest['type'], content?: Piece): Piece;
  autocommitResponse(isAutocommit: boolean): Piece;
  /** `maxCharacters`: of the message only the beginning is kept. */
  error(error: StreamError, maxCharacters?: number): Piece;
  streamResult(state: 'ok' | 'error', content: Piece): Piece;
  sendPipelineAnswer(
    response: ResponseStream,
    seenCommit: number,
    baton: string | null,
    results: readonly Piece[],
  ): void;

  newCursorBuffer(): CursorBuffer<Piece>;
  cursorHead(baton: string): Piece;
  stepBegin(step: number, columns: readonly ColumnInfo[]): Piece;
  cursorRow(values: readonly SqlValue[]): Piece;
  stepEnd(outcome: StatementOutcome): Piece;
  stepError(step: number, error: StreamError): Piece;
  cursorError(error: StreamError): Piece;
  /** What says that the cursor ended well; undefined where the end of the body says it. */
  readonly cursorEnd: Piece | undefined;
}

/** A result in the making. */
export interface ResultCollector<Piece> extends RowSink {
  finish(outcome: StatementOutcome): Piece;
}

/** Entries of a cursor that were not sent yet. */
export interface CursorBuffer<Piece> {
  /** Bytes or UTF-16 code units. */
  readonly size: number;
  add(entry: Piece): void;
  /** Everything that was added, as bytes; empties the buffer. */
  take(): Buffer;
}
