/** Hrana in Protobuf. Field numbers are those of the protocol. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';
import type { StatementOutcome } from '../engine/process/statement.js';
import { decodeProtobufCursor, decodeProtobufPipeline } from './decode-protobuf.js';
import type { CursorBuffer, HranaEncoding, ResultCollector } from './encoding.js';
import type { StreamRequest } from './protocol.js';
import { shortened, type StreamError } from './stream-error.js';

/** Of `StreamRequest` and `StreamResponse`. */
export const responseFields: Readonly<Record<StreamRequest['type'], number>> = {
  close: 1,
  execute: 2,
  batch: 3,
  sequence: 4,
  describe: 5,
  store_sql: 6,
  close_sql: 7,
  get_autocommit: 8,
};

const empty = new Uint8Array(0);

export const protobufEncoding: HranaEncoding<Uint8Array> = {
  decodePipeline: decodeProtobufPipeline,
  decodeCursor: decodeProtobufCursor,

  size: (piece) => piece.length,
  isLongerThan: (piece, maxBytes) => piece.length > maxBytes,

  collectResult: (wantRows, maxBytes) => new ProtobufResultCollector(wantRows, maxBytes),
  batchResult: (results, errors) => {
    const writer = new BinaryWriter();
    results.forEach((result, step) => result && writeMessage(writer, 1, mapEntry(step, result)));
    errors.forEach((error, step) => error && writeMessage(writer, 2, mapEntry(step, error)));
    return writer.finish();
  },
  description: ({ plan, columns }) => {
    const writer = new BinaryWriter();
    for (const name of plan.parameters) {
      const parameter = new BinaryWriter();
      if (name !== null) writeText(parameter, 1, name);
      writeMessage(writer, 1, parameter.finish());
    }
    for (const column of columns) writeMessage(writer, 2, columnBytes(column));
    if (plan.isExplain) writer.tag(3, WireType.Varint).bool(true);
    if (plan.isReadOnly) writer.tag(4, WireType.Varint).bool(true);
    return writer.finish();
  },
  response: (type, content) => wrapped(responseFields[type], content === undefined ? empty : wrapped(1, content)),
  autocommitResponse: (isAutocommit) => {
    const response = isAutocommit ? new BinaryWriter().tag(1, WireType.Varint).bool(true).finish() : empty;
    return wrapped(responseFields.get_autocommit, response);
  },
  error: errorBytes,
  streamResult: (state, content) => wrapped(state === 'ok' ? 1 : 2, content),
  sendPipelineAnswer: (response, seenCommit, baton, results) => {
    const writer = new BinaryWriter();
    if (baton !== null) writeText(writer, 1, baton);
    for (const result of results) writeMessage(writer, 3, result);
    response.send(200, seenCommit, writer.finish(), true);
  },

  newCursorBuffer: () => new LengthDelimited(),
  cursorHead: (baton) => {
    const writer = new BinaryWriter();
    writeText(writer, 1, baton);
    return writer.finish();
  },
  stepBegin: (step, columns) => {
    const writer = new BinaryWriter();
    if (step > 0) writer.tag(1, WireType.Varint).uint32(step);
    for (const column of columns) writeMessage(writer, 2, columnBytes(column));
    return wrapped(1, writer.finish());
  },
  cursorRow: (values) => wrapped(4, rowBytes(values)),
  stepEnd: ({ changes, lastInsertRowid }) => {
    const writer = new BinaryWriter();
    if (changes > 0) writer.tag(1, WireType.Varint).uint64(changes);
    if (lastInsertRowid !== null) writer.tag(2, WireType.Varint).sint64(lastInsertRowid);
    return wrapped(2, writer.finish());
  },
  stepError: (step, error) => {
    const writer = new BinaryWriter();
    if (step > 0) writer.tag(1, WireType.Varint).uint32(step);
    return wrapped(3, writeMessage(writer, 2, errorBytes(error)).finish());
  },
  cursorError: (error) => wrapped(5, errorBytes(error)),
  cursorEnd: undefined,
};

/** Collects Hrana's `StmtResult`. */
class ProtobufResultCollector implements ResultCollector<Uint8Array> {
  readonly #wantRows: boolean;
  readonly #maxBytes: number;
  #columns: readonly ColumnInfo[] = [];
  readonly #rows: Uint8Array[] = [];
  #bytes = 0;

  constructor(wantRows: boolean, maxBytes: number) {
    this.#wantRows = wantRows;
    this.#maxBytes = maxBytes;
  }

  begin(columns: readonly ColumnInfo[]): void {
    this.#columns = columns;
  }

  row(values: readonly SqlValue[]): boolean {
    if (!this.#wantRows) return true;
    const row = rowBytes(values);
    this.#rows.push(row);
    // Two bytes at least say that it is a row.
    this.#bytes += row.length + 2;
    return this.#bytes <= this.#maxBytes;
  }

  waitFor(): undefined {
    return undefined;
  }

  finish({ changes, lastInsertRowid }: StatementOutcome): Uint8Array {
    const writer = new BinaryWriter();
    for (const column of this.#columns) writeMessage(writer, 1, columnBytes(column));
    for (const row of this.#rows) writeMessage(writer, 2, row);
    if (changes > 0) writer.tag(3, WireType.Varint).uint64(changes);
    if (lastInsertRowid !== null) writer.tag(4, WireType.Varint).sint64(lastInsertRowid);
    return writer.finish();
  }
}

/** Messages one after the other, each behind its length. */
class LengthDelimited implements CursorBuffer<Uint8Array> {
  #parts: Uint8Array[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(entry: Uint8Array): void {
    const length = new BinaryWriter().uint32(entry.length).finish();
    this.#parts.push(length, entry);
    this.#size += length.length + entry.length;
  }

  take(): Buffer {
    const bytes = Buffer.concat(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    return bytes;
  }
}

function rowBytes(values: readonly SqlValue[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const value of values) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writeValue(writer, value);
    writer.join();
  }
  return writer.finish();
}

/** The fields of a `Value`. What JSON has no number for is a number here. */
export function writeValue(writer: BinaryWriter, value: SqlValue): void {
  if (value === null) writeMessage(writer, 1, empty);
  else if (typeof value === 'bigint') writer.tag(2, WireType.Varint).sint64(value);
  else if (typeof value === 'number') writer.tag(3, WireType.Bit64).double(value);
  else if (typeof value === 'string') writeText(writer, 4, value);
  else writeMessage(writer, 5, value);
}

function columnBytes({ name, declaredType }: ColumnInfo): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, 1, name);
  if (declaredType !== null) writeText(writer, 2, declaredType);
  return writer.finish();
}

function errorBytes({ message: sentence, code }: StreamError, maxCharacters?: number): Uint8Array {
  const writer = new BinaryWriter();
  writeText(writer, 1, shortened(sentence, maxCharacters));
  writeText(writer, 2, code);
  return writer.finish();
}

function mapEntry(key: number, value: Uint8Array): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Varint).uint32(key);
  return writeMessage(writer, 2, value).finish();
}

function wrapped(field: number, content: Uint8Array): Uint8Array {
  return writeMessage(new BinaryWriter(), field, content).finish();
}

export function writeMessage(writer: BinaryWriter, field: number, content: Uint8Array): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).bytes(content);
}

export function writeText(writer: BinaryWriter, field: number, value: string): void {
  // Not the library's own way: a lone surrogate must become U+FFFD there as everywhere.
  writeMessage(writer, field, Buffer.from(value));
}
