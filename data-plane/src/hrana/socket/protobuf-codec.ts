/** `hrana3-protobuf`: Protobuf in binary frames. Field numbers are those of the protocol. */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ByocError } from '../../errors/catalogue.js';
import {
  decodeProtobufBatch,
  decodeProtobufSqlText,
  decodeSqlId,
  decodeStatement,
  decodeStoreSql,
} from '../decode-protobuf.js';
import { encodeProtobufCursor, encodeProtobufPipeline } from '../encode-protobuf-request.js';
import { malformed } from '../json-shape.js';
import { protobufEncoding } from '../protobuf-encoding.js';
import { ElementBudget, readFields } from '../protobuf-reader.js';
import type { CursorReader, SocketCodec } from './codec.js';
import type { ClientMessage, SocketRequest, SocketRequestName } from './messages.js';

/** Of `RequestMsg` and `ResponseOkMsg`. */
const requestFields: Readonly<Record<SocketRequestName, number>> = {
  open_stream: 2,
  close_stream: 3,
  execute: 4,
  batch: 5,
  open_cursor: 6,
  close_cursor: 7,
  fetch_cursor: 8,
  sequence: 9,
  describe: 10,
  store_sql: 11,
  close_sql: 12,
  get_autocommit: 13,
};
/** Of `ServerMsg`. */
const serverFields = { helloOk: 1, helloError: 2, responseOk: 3, responseError: 4 } as const;
const empty = Buffer.alloc(0);

export const protobufCodec: SocketCodec = {
  isBinary: true,
  pipelineKind: 'v3-protobuf-pipeline',
  cursorKind: 'v3-protobuf-cursor',

  decode: (frame) => {
    let message: ClientMessage | undefined;
    readFields(frame, 'the message', (field) => {
      if (field.number === 1) message = { type: 'hello', jwt: decodeHello(field.bytes()) };
      else if (field.number === 2) message = decodeRequestMessage(field.bytes());
    });
    if (!message) throw malformed('the message', 'a hello or a request');
    return message;
  },
  helloOk: () => wrapped(serverFields.helloOk, empty),
  helloError: (error) => wrapped(serverFields.helloError, wrapped(1, protobufEncoding.error(error))),
  responseOk: (requestId, name) => responseOk(requestId, name, empty),
  responseError: (requestId, error) => responseError(requestId, protobufEncoding.error(error)),
  fetchedEntries: (requestId, entries, done) => {
    const writer = new BinaryWriter();
    for (const entry of entries) writer.tag(1, WireType.LengthDelimited).bytes(entry);
    if (done) writer.tag(2, WireType.Varint).bool(true);
    return responseOk(requestId, 'fetch_cursor', writer.finish());
  },

  pipelineBody: encodeProtobufPipeline,
  cursorBody: encodeProtobufCursor,
  passOn: (requestId, name, answer) => {
    let baton: string | undefined;
    let message: Buffer | undefined;
    readFields(answer, 'the answer', (field) => {
      if (field.number === 1) baton = field.string();
      else if (field.number === 3) message = passedOn(requestId, name, field.bytes());
    });
    if (!message) throw new ByocError('INTERNAL', 'a pipeline was answered in an unknown form');
    return { message, baton };
  },
  newCursorReader: () => new ProtobufCursorReader(),
};

function passedOn(requestId: number, name: SocketRequestName, result: Buffer): Buffer | undefined {
  let message: Buffer | undefined;
  readFields(result, 'the result', (field) => {
    if (field.number === 2) message = responseError(requestId, field.bytes());
    // The response's own message is the same here as there; only its number differs.
    else if (field.number === 1) {
      readFields(field.bytes(), 'the response', (response) => {
        message = responseOk(requestId, name, response.bytes());
      });
    }
  });
  return message;
}

function decodeHello(message: Buffer): string | undefined {
  let jwt: string | undefined;
  readFields(message, 'hello', (field) => {
    if (field.number === 1) jwt = field.string();
  });
  return jwt;
}

function decodeRequestMessage(message: Buffer): ClientMessage {
  let requestId = 0;
  let request: SocketRequest | undefined;
  readFields(message, 'request', (field) => {
    if (field.number === 1) requestId = field.int32();
    else request = decodeSocketRequest(field.number, () => field.bytes()) ?? request;
  });
  if (!request) throw malformed('request', 'the name of a request over WebSockets');
  return { type: 'request', requestId, request };
}

/** Undefined for an unknown field. */
function decodeSocketRequest(number: number, content: () => Buffer): SocketRequest | undefined {
  const inStream = (
    decode: (message: Buffer) => Extract<SocketRequest, { type: 'in_stream' }>['request'],
  ): SocketRequest => {
    const message = content();
    return { type: 'in_stream', streamId: decodeNumber(message, 1), request: decode(message) };
  };
  switch (number) {
    case requestFields.open_stream:
      return { type: 'open_stream', streamId: decodeNumber(content(), 1) };
    case requestFields.close_stream:
      return { type: 'close_stream', streamId: decodeNumber(content(), 1) };
    case requestFields.execute:
      return inStream((message) => ({
        type: 'execute',
        statement: decodeStatement(decodeBytes(message, 2), 'request.stmt', new ElementBudget()),
      }));
    case requestFields.batch:
      return inStream((message) => ({ type: 'batch', steps: decodeBatch(message, 2) }));
    case requestFields.sequence:
      return inStream((message) => ({ type: 'sequence', text: decodeProtobufSqlText(message, 'request', 2) }));
    case requestFields.describe:
      return inStream((message) => ({ type: 'describe', text: decodeProtobufSqlText(message, 'request', 2) }));
    case requestFields.get_autocommit:
      return inStream(() => ({ type: 'get_autocommit' }));
    case requestFields.open_cursor: {
      const message = content();
      const [streamId, cursorId] = [decodeNumber(message, 1), decodeNumber(message, 2)];
      return { type: 'open_cursor', streamId, cursorId, steps: decodeBatch(message, 3) };
    }
    case requestFields.close_cursor:
      return { type: 'close_cursor', cursorId: decodeNumber(content(), 1) };
    case requestFields.fetch_cursor: {
      const message = content();
      return { type: 'fetch_cursor', cursorId: decodeNumber(message, 1), maxCount: decodeNumber(message, 2) >>> 0 };
    }
    case requestFields.store_sql:
      return { type: 'store_sql', ...decodeStoreSql(content(), 'request') };
    case requestFields.close_sql:
      return { type: 'close_sql', sqlId: decodeSqlId(content(), 'request') };
    default:
      return undefined;
  }
}

function decodeNumber(message: Buffer, number: number): number {
  let value = 0;
  readFields(message, 'request', (field) => {
    if (field.number === number) value = field.int32();
  });
  return value;
}

function decodeBytes(message: Buffer, number: number): Buffer {
  let value: Buffer = empty;
  readFields(message, 'request', (field) => {
    if (field.number === number) value = field.bytes();
  });
  return value;
}

function decodeBatch(message: Buffer, number: number): ReturnType<typeof decodeProtobufBatch> {
  return decodeProtobufBatch(decodeBytes(message, number), 'request.batch', new ElementBudget());
}

function responseOk(requestId: number, name: SocketRequestName, response: Uint8Array): Buffer {
  const writer = new BinaryWriter();
  if (requestId !== 0) writer.tag(1, WireType.Varint).int32(requestId);
  writer.tag(requestFields[name], WireType.LengthDelimited).bytes(response);
  return wrapped(serverFields.responseOk, writer.finish());
}

function responseError(requestId: number, error: Uint8Array): Buffer {
  const writer = new BinaryWriter();
  if (requestId !== 0) writer.tag(1, WireType.Varint).int32(requestId);
  writer.tag(2, WireType.LengthDelimited).bytes(error);
  return wrapped(serverFields.responseError, writer.finish());
}

function wrapped(field: number, content: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(content).finish());
}

/** Longest form of a length. */
const maxVarintBytes = 5;

class ProtobufCursorReader implements CursorReader {
  #pending: Buffer = empty;
  /** How much has to be there before it is looked at again. */
  #wantedBytes = 1;
  #parts: Buffer[] = [];
  #partBytes = 0;
  baton: string | undefined;

  push(part: Buffer): Buffer[] {
    this.#parts.push(part);
    this.#partBytes += part.length;
    if (this.#pending.length + this.#partBytes < this.#wantedBytes) return [];
    let bytes = Buffer.concat([this.#pending, ...this.#parts]);
    this.#parts = [];
    this.#partBytes = 0;
    const entries: Buffer[] = [];
    for (;;) {
      const end = messageEnd(bytes);
      if (end === undefined || end.end > bytes.length) {
        this.#wantedBytes = end?.end ?? bytes.length + 1;
        break;
      }
      const message = bytes.subarray(end.start, end.end);
      if (this.baton === undefined) {
        readFields(message, 'the head of a cursor', (field) => {
          if (field.number === 1) this.baton = field.string();
        });
      } else entries.push(message);
      bytes = bytes.subarray(end.end);
    }
    this.#pending = bytes;
    return entries;
  }

  isComplete(): boolean {
    return this.baton !== undefined && this.#pending.length + this.#partBytes === 0;
  }
}

/** Where the first message of `bytes` lies; undefined while its length is not there. */
function messageEnd(bytes: Buffer): { readonly start: number; readonly end: number } | undefined {
  const last = bytes.subarray(0, maxVarintBytes).findIndex((byte) => byte < 0x80);
  if (last < 0) return undefined;
  const reader = new BinaryReader(bytes);
  const length = reader.uint32();
  return { start: reader.pos, end: reader.pos + length };
}
