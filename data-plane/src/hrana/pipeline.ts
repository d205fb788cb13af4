import type { DatabaseHost } from '../engine/process/database-host.js';
import type { RequestContext } from '../engine/process/request-context.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { RowSink } from '../engine/process/statement.js';
import type { Task } from '../engine/process/task.js';
import { conditionHolds, type StepState } from './batch-condition.js';
import { bindArguments } from './bind-arguments.js';
import { decodePipelineRequest } from './decode-request.js';
import { encodeColumns, quote } from './encode-value.js';
import type { BatchStep, StreamRequest } from './protocol.js';
import { responseTooLarge, runStatement } from './statement-result.js';
import { encodeStreamError, toStreamError } from './stream-error.js';
import type { Stream } from './stream.js';
import type { StreamTable } from './stream-table.js';

const discardRows: RowSink = { begin: () => undefined, row: () => true, waitFor: () => undefined };
const fewCharacters = 80;
const noArguments = { args: [], namedArgs: [] };

/** Serves `/v2/pipeline` and `/v3/pipeline`. Throws what ends the request as a whole; the stream is closed then. */
export function* servePipeline(
  host: DatabaseHost,
  streams: StreamTable,
  context: RequestContext,
  response: ResponseStream,
): Task {
  const { baton, requests } = decodePipelineRequest(context.body);
  const stream = baton === undefined ? streams.open() : yield* streams.take(baton, context);
  try {
    const pipeline = new Pipeline(host, stream, context);
    let results = '';
    for (const request of requests) {
      if (results !== '') yield* context.giveWay();
      const result = yield* pipeline.run(request);
      results = results === '' ? result : `${results},${result}`;
    }
    host.shipCommits();
    let next = 'null';
    if (stream.mustBeKept && !pipeline.closed) {
      next = quote(streams.keep(stream, context));
      streams.rest(stream);
    } else {
      streams.close(stream);
    }
    response.sendText(200, host.commit, `{"baton":${next},"base_url":null,"results":[${results}]}`);
  } catch (error) {
    streams.close(stream);
    throw error;
  }
}

/** The requests of one pipeline, run one after the other. */
class Pipeline {
  readonly #host: DatabaseHost;
  readonly #stream: Stream;
  readonly #context: RequestContext;
  #restBytes: number;
  closed = false;

  constructor(host: DatabaseHost, stream: Stream, context: RequestContext) {
    this.#host = host;
    this.#stream = stream;
    this.#context = context;
    this.#restBytes = host.limits.maxResponseBytes;
  }

  /** The result of one request as JSON; an error of the request becomes its result. */
  *run(request: StreamRequest): Task<string> {
    try {
      const response = yield* this.#respond(request);
      this.#restBytes -= response.length;
      return `{"type":"ok","response":${response}}`;
    } catch (error) {
      const failure = this.#failure(error, this.#restBytes);
      this.#restBytes -= failure.length;
      return `{"type":"error","error":${failure}}`;
    }
  }

  /** An error as JSON, in few words when the response is full: a short request can cause many errors. */
  #failure(error: unknown, restBytes: number): string {
    const streamError = toStreamError(error);
    const failure = encodeStreamError(streamError);
    return failure.length <= restBytes ? failure : encodeStreamError(streamError, fewCharacters);
  }

  *#respond(request: StreamRequest): Task<string> {
    const { session, storedSql } = this.#stream;
    switch (request.type) {
      case 'execute': {
        const result = yield* runStatement(this.#stream, request.statement, this.#context, this.#restBytes);
        return `{"type":"execute","result":${result}}`;
      }
      case 'batch':
        return `{"type":"batch","result":${yield* this.#batch(request.steps)}}`;
      case 'sequence':
        yield* this.#sequence(storedSql.resolve(request.text));
        return '{"type":"sequence"}';
      case 'describe':
        return `{"type":"describe","result":${yield* this.#describe(storedSql.resolve(request.text))}}`;
      case 'store_sql':
        storedSql.store(request.sqlId, request.sql);
        return '{"type":"store_sql"}';
      case 'close_sql':
        storedSql.close(request.sqlId);
        return '{"type":"close_sql"}';
      case 'get_autocommit':
        return `{"type":"get_autocommit","is_autocommit":${session.isAutocommit}}`;
      case 'close':
        this.closed = true;
        return '{"type":"close"}';
    }
  }

  *#batch(steps: readonly BatchStep[]): Task<string> {
    const states: StepState[] = [];
    const results: string[] = [];
    const errors: string[] = [];
    let restBytes = this.#restBytes;
    for (const { condition, statement } of steps) {
      let state: StepState = 'skipped';
      let result = 'null';
      let error = 'null';
      if (!condition || conditionHolds(condition, states, () => this.#stream.session.isAutocommit)) {
        if (states.length > 0) yield* this.#context.giveWay();
        try {
          result = yield* runStatement(this.#stream, statement, this.#context, restBytes);
          restBytes -= result.length;
          state = 'ok';
        } catch (failure) {
          error = this.#failure(failure, restBytes);
          restBytes -= error.length;
          state = 'error';
        }
      }
      states.push(state);
      results.push(result);
      errors.push(error);
    }
    return `{"step_results":[${results.join(',')}],"step_errors":[${errors.join(',')}]}`;
  }

  *#sequence(sql: string): Task {
    for (const statement of this.#host.gate.split(sql)) {
      const bind = (plan: { parameters: readonly (string | null)[] }) => bindArguments(plan.parameters, noArguments);
      yield* this.#stream.session.run({ sql: statement, bind }, this.#context, discardRows);
      yield* this.#context.giveWay();
    }
  }

  *#describe(sql: string): Task<string> {
    const { plan, columns } = yield* this.#stream.session.describe(sql, this.#context);
    const parameters = plan.parameters.map((name) => `{"name":${name === null ? 'null' : quote(name)}}`).join(',');
    const description =
      `{"params":[${parameters}],"cols":${encodeColumns(columns)},` +
      `"is_explain":${plan.isExplain},"is_readonly":${plan.isReadOnly}}`;
    if (description.length > this.#restBytes) throw responseTooLarge(undefined, this.#host.limits.maxResponseBytes);
    return description;
  }
}
