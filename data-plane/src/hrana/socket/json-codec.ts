/** `hrana1`, `hrana2` and `hrana3`: JSON in text frames. */
import { ByocError } from '../../errors/catalogue.js';
import { decodeSteps } from '../decode-batch.js';
import { decodeStreamRequest } from '../decode-request.js';
import { encodeJsonCursor, encodeJsonPipeline } from '../encode-json-request.js';
import { jsonEncoding } from '../json-encoding.js';
import { asInt32, asObject, asString, isAbsent, malformed, parseBody, type JsonObject } from '../json-shape.js';
import type { CursorReader, SocketCodec } from './codec.js';
import type { ClientMessage, SocketRequest } from './messages.js';

/** Up to the content of the only result of a pipeline, as `jsonEncoding` writes it. */
const answerHead =
  /^\{"baton":(?:null|"([A-Za-z0-9_.-]{1,200})"),"base_url":null,"results":\[\{"type":(?:"(ok)","response"|"error","error"):/;
const longestHeadBytes = 512;
const answerEnd = '}]}';

export const jsonCodec: SocketCodec = {
  isBinary: false,
  pipelineKind: 'v3-pipeline',
  cursorKind: 'v3-cursor',

  decode: (frame) => {
    const message = parseBody(frame);
    return decodeMessage(message);
  },
  helloOk: () => Buffer.from('{"type":"hello_ok"}'),
  helloError: (error) => Buffer.from(`{"type":"hello_error","error":${jsonEncoding.error(error)}}`),
  responseOk: (requestId, name) =>
    Buffer.from(`{"type":"response_ok","request_id":${requestId},"response":{"type":"${name}"}}`),
  responseError: (requestId, error) =>
    Buffer.from(`{"type":"response_error","request_id":${requestId},"error":${jsonEncoding.error(error)}}`),
  fetchedEntries: (requestId, entries, done) => {
    const parts: Buffer[] = [
      Buffer.from(`{"type":"response_ok","request_id":${requestId},"response":{"type":"fetch_cursor","entries":[`),
    ];
    entries.forEach((entry, index) => parts.push(...(index === 0 ? [entry] : [comma, entry])));
    parts.push(Buffer.from(`],"done":${done}}}`));
    return Buffer.concat(parts);
  },

  pipelineBody: encodeJsonPipeline,
  cursorBody: encodeJsonCursor,
  passOn: (requestId, _name, answer) => {
    const head = answerHead.exec(answer.toString('latin1', 0, longestHeadBytes));
    if (!head || answer.toString('latin1', answer.length - answerEnd.length) !== answerEnd) {
      throw new ByocError('INTERNAL', 'a pipeline was answered in an unknown form');
    }
    const [text, baton, ok] = head;
    const content = answer.subarray(text.length, answer.length - answerEnd.length);
    const [type, field] = ok === undefined ? ['response_error', 'error'] : ['response_ok', 'response'];
    const start = Buffer.from(`{"type":"${type}","request_id":${requestId},"${field}":`);
    return { message: Buffer.concat([start, content, brace]), baton };
  },
  newCursorReader: () => new JsonCursorReader(),
};

const comma = Buffer.from(',');
const brace = Buffer.from('}');

function decodeMessage(message: JsonObject): ClientMessage {
  const { type } = message;
  if (type === 'hello') {
    const { jwt } = message;
    return { type, jwt: isAbsent(jwt) ? undefined : asString(jwt, 'jwt') };
  }
  if (type !== 'request') throw malformed('type', '"hello" or "request"');
  return {
    type,
    requestId: asInt32(message['request_id'], 'request_id'),
    request: decodeSocketRequest(asObject(message['request'], 'request')),
  };
}

function decodeSocketRequest(request: JsonObject): SocketRequest {
  const { type } = request;
  const number = (field: string): number => asInt32(request[field], `request.${field}`);
  switch (type) {
    case 'open_stream':
    case 'close_stream':
      return { type, streamId: number('stream_id') };
    case 'open_cursor':
      return {
        type,
        streamId: number('stream_id'),
        cursorId: number('cursor_id'),
        steps: decodeSteps(request['batch'], 'request.batch'),
      };
    case 'fetch_cursor': {
      const maxCount = request['max_count'];
      if (typeof maxCount !== 'number' || maxCount < 0) throw malformed('request.max_count', 'a number');
      return { type, cursorId: number('cursor_id'), maxCount };
    }
    case 'close_cursor':
      return { type, cursorId: number('cursor_id') };
    case 'store_sql':
      return { type, sqlId: number('sql_id'), sql: asString(request['sql'], 'request.sql') };
    case 'close_sql':
      return { type, sqlId: number('sql_id') };
    default: {
      const inner = decodeStreamRequest(request, 'request');
      if (inner.type === 'close' || inner.type === 'store_sql' || inner.type === 'close_sql') {
        throw malformed('request.type', 'the name of a request over WebSockets');
      }
      return { type: 'in_stream', streamId: number('stream_id'), request: inner };
    }
  }
}

const newline = 0x0a;
const lastLine = Buffer.from(jsonEncoding.cursorEnd ?? '');

class JsonCursorReader implements CursorReader {
  #rest: Buffer[] = [];
  #hasEnded = false;
  baton: string | undefined;

  push(part: Buffer): Buffer[] {
    const entries: Buffer[] = [];
    let start = 0;
    for (let end = part.indexOf(newline); end >= 0; end = part.indexOf(newline, start)) {
      const line = Buffer.concat([...this.#rest, part.subarray(start, end)]);
      this.#rest = [];
      start = end + 1;
      if (this.baton === undefined) {
        this.baton = (JSON.parse(line.toString('utf8')) as { readonly baton: string }).baton;
      } else if (line.equals(lastLine)) {
        this.#hasEnded = true;
      } else {
        entries.push(line);
      }
    }
    if (start < part.length) this.#rest.push(part.subarray(start));
    return entries;
  }

  isComplete(): boolean {
    return this.#hasEnded;
  }
}
