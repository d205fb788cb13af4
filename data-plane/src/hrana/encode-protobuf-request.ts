/** Requests as a client would write them in Protobuf: what `decode-protobuf.ts` reads. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { BatchCondition, BatchStep, HranaStatement, SqlText, StreamRequest } from './protocol.js';
import { responseFields, writeMessage, writeText, writeValue } from './protobuf-encoding.js';

const empty = new Uint8Array(0);

export function encodeProtobufPipeline(baton: string | undefined, request: StreamRequest): Buffer {
  const writer = new BinaryWriter();
  if (baton !== undefined) writeText(writer, 1, baton);
  const content = new BinaryWriter();
  writeMessage(content, responseFields[request.type], requestBytes(request));
  return Buffer.from(writeMessage(writer, 2, content.finish()).finish());
}

export function encodeProtobufCursor(baton: string | undefined, steps: readonly BatchStep[]): Buffer {
  const writer = new BinaryWriter();
  if (baton !== undefined) writeText(writer, 1, baton);
  return Buffer.from(writeMessage(writer, 2, batchBytes(steps)).finish());
}

function requestBytes(request: StreamRequest): Uint8Array {
  const writer = new BinaryWriter();
  switch (request.type) {
    case 'execute':
      return writeMessage(writer, 1, statementBytes(request.statement)).finish();
    case 'batch':
      return writeMessage(writer, 1, batchBytes(request.steps)).finish();
    case 'sequence':
    case 'describe':
      writeSql(writer, request.text);
      return writer.finish();
    case 'store_sql':
      writer.tag(1, WireType.Varint).int32(request.sqlId);
      writeText(writer, 2, request.sql);
      return writer.finish();
    case 'close_sql':
      return writer.tag(1, WireType.Varint).int32(request.sqlId).finish();
    case 'get_autocommit':
    case 'close':
      return empty;
  }
}

function batchBytes(steps: readonly BatchStep[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { condition, statement } of steps) {
    const step = new BinaryWriter();
    if (condition) writeMessage(step, 1, conditionBytes(condition));
    writeMessage(writer, 1, writeMessage(step, 2, statementBytes(statement)).finish());
  }
  return writer.finish();
}

function statementBytes({ text, args, namedArgs, wantRows }: HranaStatement): Uint8Array {
  const writer = new BinaryWriter();
  writeSql(writer, text);
  for (const value of args) {
    writer.tag(3, WireType.LengthDelimited).fork();
    writeValue(writer, value);
    writer.join();
  }
  for (const { name, value } of namedArgs) {
    writer.tag(4, WireType.LengthDelimited).fork();
    writeText(writer, 1, name);
    writer.tag(2, WireType.LengthDelimited).fork();
    writeValue(writer, value);
    writer.join().join();
  }
  return writer.tag(5, WireType.Varint).bool(wantRows).finish();
}

/** In fields 1 and 2. */
function writeSql(writer: BinaryWriter, text: SqlText): void {
  if ('sql' in text) writeText(writer, 1, text.sql);
  else writer.tag(2, WireType.Varint).int32(text.sqlId);
}

function conditionBytes(condition: BatchCondition): Uint8Array {
  const writer = new BinaryWriter();
  switch (condition.type) {
    case 'ok':
      return writer.tag(1, WireType.Varint).uint32(condition.step).finish();
    case 'error':
      return writer.tag(2, WireType.Varint).uint32(condition.step).finish();
    case 'not':
      return writeMessage(writer, 3, conditionBytes(condition.condition)).finish();
    case 'and':
    case 'or': {
      const list = new BinaryWriter();
      for (const part of condition.conditions) writeMessage(list, 1, conditionBytes(part));
      return writeMessage(writer, condition.type === 'and' ? 4 : 5, list.finish()).finish();
    }
    case 'is_autocommit':
      return writeMessage(writer, 6, empty).finish();
  }
}
