import type { DatabaseHost } from '../engine/process/database-host.js';
import type { RequestContext } from '../engine/process/request-context.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { RowSink } from '../engine/process/statement.js';
import type { Task } from '../engine/process/task.js';
import { conditionHolds, type StepState } from './batch-condition.js';
import { bindArguments } from './bind-arguments.js';
import type { HranaEncoding } from './encoding.js';
import type { BatchStep, StreamRequest } from './protocol.js';
import { responseTooLarge, runStatement } from './statement-result.js';
import { toStreamError } from './stream-error.js';
import type { Stream } from './stream.js';
import type { StreamTable } from './stream-table.js';

const discardRows: RowSink = { begin: () => undefined, row: () => true, waitFor: () => undefined };
const fewCharacters = 80;
const noArguments = { args: [], namedArgs: [] };

/** Serves a pipeline. Throws what ends the request as a whole; the stream is closed then. */
export function* servePipeline<Piece>(
  host: DatabaseHost,
  streams: StreamTable,
  context: RequestContext,
  response: ResponseStream,
  encoding: HranaEncoding<Piece>,
): Task {
  const { baton, requests } = encoding.decodePipeline(context.body);
  const stream = baton === undefined ? streams.open() : yield* streams.take(baton, context);
  try {
    const pipeline = new Pipeline(host, stream, context, encoding);
    const results: Piece[] = [];
    for (const request of requests) {
      if (results.length > 0) yield* context.giveWay();
      results.push(yield* pipeline.run(request));
    }
    host.shipCommits();
    let next: string | null = null;
    if (stream.mustBeKept && !pipeline.closed) {
      next = streams.keep(stream, context);
      streams.rest(stream);
    } else {
      streams.close(stream);
    }
    encoding.sendPipelineAnswer(response, host.commit, next, results);
  } catch (error) {
    streams.close(stream);
    throw error;
  }
}

/** The requests of one pipeline, run one after the other. */
export class Pipeline<Piece> {
  readonly #host: DatabaseHost;
  readonly #stream: Stream;
  readonly #context: RequestContext;
  readonly #encoding: HranaEncoding<Piece>;
  #restBytes: number;
  closed = false;

  constructor(host: DatabaseHost, stream: Stream, context: RequestContext, encoding: HranaEncoding<Piece>) {
    this.#host = host;
    this.#stream = stream;
    this.#context = context;
    this.#encoding = encoding;
    this.#restBytes = host.limits.maxResponseBytes;
  }

  /** The result of one request, encoded; an error of the request becomes its result. */
  *run(request: StreamRequest): Task<Piece> {
    const encoding = this.#encoding;
    try {
      const response = yield* this.respond(request);
      this.#restBytes -= encoding.size(response);
      return encoding.streamResult('ok', response);
    } catch (error) {
      const failure = this.#failure(error, this.#restBytes);
      this.#restBytes -= encoding.size(failure);
      return encoding.streamResult('error', failure);
    }
  }

  /** An encoded error, in few words when the response is full: a short request can cause many errors. */
  #failure(error: unknown, restBytes: number): Piece {
    const streamError = toStreamError(error);
    const failure = this.#encoding.error(streamError);
    return this.#encoding.size(failure) <= restBytes ? failure : this.#encoding.error(streamError, fewCharacters);
  }

  /** The response to one request, encoded. Throws the error of the request. */
  *respond(request: StreamRequest): Task<Piece> {
    const { session, storedSql } = this.#stream;
    const encoding = this.#encoding;
    const { type } = request;
    switch (type) {
      case 'execute': {
        const { statement } = request;
        return encoding.response(
          type,
          yield* runStatement(this.#stream, statement, this.#context, encoding, this.#restBytes),
        );
      }
      case 'batch':
        return encoding.response(type, yield* this.#batch(request.steps));
      case 'sequence':
        yield* this.#sequence(storedSql.resolve(request.text));
        break;
      case 'describe':
        return encoding.response(type, yield* this.#describe(storedSql.resolve(request.text)));
      case 'store_sql':
        storedSql.store(request.sqlId, request.sql);
        break;
      case 'close_sql':
        storedSql.close(request.sqlId);
        break;
      case 'get_autocommit':
        return encoding.autocommitResponse(session.isAutocommit);
      case 'close':
        this.closed = true;
        break;
    }
    return encoding.response(type);
  }

  *#batch(steps: readonly BatchStep[]): Task<Piece> {
    const encoding = this.#encoding;
    const states: StepState[] = [];
    const results: (Piece | undefined)[] = [];
    const errors: (Piece | undefined)[] = [];
    let restBytes = this.#restBytes;
    for (const { condition, statement } of steps) {
      let state: StepState = 'skipped';
      let result: Piece | undefined;
      let error: Piece | undefined;
      if (!condition || conditionHolds(condition, states, () => this.#stream.session.isAutocommit)) {
        if (states.length > 0) yield* this.#context.giveWay();
        try {
          result = yield* runStatement(this.#stream, statement, this.#context, encoding, restBytes);
          restBytes -= encoding.size(result);
          state = 'ok';
        } catch (failure) {
          error = this.#failure(failure, restBytes);
          restBytes -= encoding.size(error);
          state = 'error';
        }
      }
      states.push(state);
      results.push(result);
      errors.push(error);
    }
    return encoding.batchResult(results, errors);
  }

  *#sequence(sql: string): Task {
    for (const statement of this.#host.gate.split(sql)) {
      const bind = (plan: { parameters: readonly (string | null)[] }) => bindArguments(plan.parameters, noArguments);
      yield* this.#stream.session.run({ sql: statement, bind }, this.#context, discardRows);
      yield* this.#context.giveWay();
    }
  }

  *#describe(sql: string): Task<Piece> {
    const description = this.#encoding.description(yield* this.#stream.session.describe(sql, this.#context));
    if (this.#encoding.size(description) > this.#restBytes) {
      throw responseTooLarge(undefined, this.#host.limits.maxResponseBytes);
    }
    return description;
  }
}
