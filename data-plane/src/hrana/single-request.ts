/** `/v1/execute` and `/v1/batch`: one request in a stream of its own, for clients from before streams. */
import { EngineError } from '../engine/adapters/adapter.js';
import type { DatabaseHost } from '../engine/process/database-host.js';
import type { RequestContext } from '../engine/process/request-context.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { Task } from '../engine/process/task.js';
import { decodeStatement, decodeSteps } from './decode-batch.js';
import { jsonEncoding } from './json-encoding.js';
import { parseBody } from './json-shape.js';
import { Pipeline } from './pipeline.js';
import type { StreamRequest } from './protocol.js';
import { shortened } from './stream-error.js';
import type { StreamTable } from './stream-table.js';

const statementFailed = 400;

/** Throws what ends the request as a whole, refusals of the one statement among them. */
export function* serveSingleRequest(
  host: DatabaseHost,
  streams: StreamTable,
  context: RequestContext,
  response: ResponseStream,
): Task {
  const { stmt, batch } = parseBody(context.body);
  const request: StreamRequest =
    context.kind === 'v1-execute'
      ? { type: 'execute', statement: decodeStatement(stmt, 'stmt') }
      : { type: 'batch', steps: decodeSteps(batch, 'batch') };
  const stream = streams.open();
  try {
    // Says its type beside the result, which such clients do not look at.
    const answer = yield* new Pipeline(host, stream, context, jsonEncoding).respond(request);
    host.shipCommits();
    response.sendText(200, host.commit, answer);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const { code } = error;
    const message = shortened(error.message);
    host.shipCommits();
    response.sendText(statementFailed, host.commit, JSON.stringify({ error: message, message, code }));
  } finally {
    streams.close(stream);
  }
}
