/**
 * Decodes the bodies of `/v2/pipeline`, `/v3/pipeline` and `/v3/cursor`. Everything about the shape of a request is
 * checked before any part of it runs.
 */
import { decodeSqlText, decodeStatement, decodeSteps } from './decode-batch.js';
import { asArray, asInt32, asObject, asString, isAbsent, malformed, parseBody } from './json-shape.js';
import type { CursorRequest, PipelineRequest, StreamRequest } from './protocol.js';
import { checkCloseIsLast } from './request-checks.js';

/** Throws MALFORMED_REQUEST. */
export function decodePipelineRequest(body: Buffer): PipelineRequest {
  const { baton, requests } = parseBody(body);
  const decoded = asArray(requests, 'requests').map((request, index) =>
    decodeStreamRequest(request, `requests[${index}]`),
  );
  checkCloseIsLast(decoded);
  return { baton: decodeBaton(baton), requests: decoded };
}

/** Throws MALFORMED_REQUEST. */
export function decodeCursorRequest(body: Buffer): CursorRequest {
  const { baton, batch } = parseBody(body);
  return { baton: decodeBaton(baton), steps: decodeSteps(batch, 'batch') };
}

function decodeBaton(json: unknown): string | undefined {
  return isAbsent(json) ? undefined : asString(json, 'baton');
}

/** One request of a stream. Throws MALFORMED_REQUEST. */
export function decodeStreamRequest(json: unknown, path: string): StreamRequest {
  const request = asObject(json, path);
  const { type } = request;
  switch (type) {
    case 'execute':
      return { type, statement: decodeStatement(request['stmt'], `${path}.stmt`) };
    case 'batch':
      return { type, steps: decodeSteps(request['batch'], `${path}.batch`) };
    case 'sequence':
    case 'describe':
      return { type, text: decodeSqlText(request, path) };
    case 'store_sql':
      return {
        type,
        sqlId: asInt32(request['sql_id'], `${path}.sql_id`),
        sql: asString(request['sql'], `${path}.sql`),
      };
    case 'close_sql':
      return { type, sqlId: asInt32(request['sql_id'], `${path}.sql_id`) };
    case 'get_autocommit':
    case 'close':
      return { type };
    default:
      throw malformed(`${path}.type`, 'the name of a stream request');
  }
}
