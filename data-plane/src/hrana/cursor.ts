import type { DatabaseHost } from '../engine/process/database-host.js';
import { PoisonedError } from '../engine/process/poisoned.js';
import { RequestAbandoned, type RequestContext } from '../engine/process/request-context.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { Signal, Task } from '../engine/process/task.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { conditionHolds, type StepState } from './batch-condition.js';
import { bindArguments } from './bind-arguments.js';
import { CursorStepSink, CursorWriter } from './cursor-writer.js';
import { decodeCursorRequest } from './decode-request.js';
import { quote } from './encode-value.js';
import type { BatchStep, HranaStatement } from './protocol.js';
import { responseTooLarge } from './statement-result.js';
import { encodeStreamError, toStreamError } from './stream-error.js';
import type { Stream } from './stream.js';
import type { StreamTable } from './stream-table.js';

/**
 * Serves `/v3/cursor`. The stream always outlives the cursor. Throws what fails before the first line is written;
 * later failures end the cursor with an error line.
 */
export function* serveCursor(
  host: DatabaseHost,
  streams: StreamTable,
  context: RequestContext,
  response: ResponseStream,
): Task {
  const { baton, steps } = decodeCursorRequest(context.body);
  const stream = baton === undefined ? streams.open() : yield* streams.take(baton, context);
  const writer = new CursorWriter(host, response);
  writer.line(`{"baton":${quote(streams.keep(stream, context))},"base_url":null}`);
  const cursor = new Cursor(host, stream, context, writer);
  try {
    yield* cursor.run(steps);
    host.shipCommits();
    writer.line('{"type":"replication_index","replication_index":null}');
    streams.rest(stream);
    yield* cursor.wait(() => writer.finish());
  } catch (error) {
    const reason = fatalError(error);
    // While its last lines wait for the client, the stream may be in use by the next request already.
    const isOwn = stream.running?.context === context;
    if (reason === undefined) {
      if (isOwn) streams.close(stream);
      throw error;
    }
    if (isOwn) streams.rest(stream);
    writer.breakOff(`{"type":"error","error":${encodeStreamError(toStreamError(reason))}}`);
  }
}

/** What the last line of a cursor says that could not go on; undefined for an error of another kind. */
function fatalError(error: unknown): ByocError | undefined {
  if (error instanceof RequestAbandoned) {
    return new ByocError('STREAM_EXPIRED', 'the cursor was left before its end');
  }
  if (error instanceof PoisonedError) return error.answer;
  return isByocError(error, 'STREAM_EXPIRED') ? error : undefined;
}

class Cursor {
  readonly #host: DatabaseHost;
  readonly #stream: Stream;
  readonly #context: RequestContext;
  readonly #writer: CursorWriter;

  constructor(host: DatabaseHost, stream: Stream, context: RequestContext, writer: CursorWriter) {
    this.#host = host;
    this.#stream = stream;
    this.#context = context;
    this.#writer = writer;
  }

  *run(steps: readonly BatchStep[]): Task {
    const states: StepState[] = [];
    for (const { condition, statement } of steps) {
      if (condition && !conditionHolds(condition, states, () => this.#stream.session.isAutocommit)) {
        states.push('skipped');
        continue;
      }
      if (states.length > 0) yield* this.#context.giveWay();
      states.push(yield* this.#step(states.length, statement));
      yield* this.wait(() => this.#writer.advance());
    }
  }

  /**
   * Waits, between statements, until `attempt` gives no signal any more. A transaction that becomes too old meanwhile is
   * rolled back. Throws STREAM_EXPIRED when the client takes nothing for too long, `RequestAbandoned`.
   */
  *wait(attempt: () => Signal | undefined): Task {
    const { runtime, limits } = this.#host;
    const { session } = this.#stream;
    let expiresAtMs: number | undefined;
    for (;;) {
      const signal = attempt();
      if (!signal) return;
      const nowMs = runtime.monotonicMs();
      expiresAtMs ??= nowMs + limits.streamIdleTimeoutMs;
      if (nowMs >= expiresAtMs) throw new ByocError('STREAM_EXPIRED', 'the client did not take the response in time');
      if (this.#stream.running?.context === this.#context) session.expireTransaction();
      yield* this.#context.park(signal, Math.min(expiresAtMs, session.transactionDeadlineMs ?? expiresAtMs) - nowMs);
      if (runtime.monotonicMs() < expiresAtMs) expiresAtMs = undefined;
      this.#host.throwIfEnded();
    }
  }

  *#step(step: number, statement: HranaStatement): Task<StepState> {
    const { maxResponseBytes } = this.#host.limits;
    try {
      const sql = this.#stream.storedSql.resolve(statement.text);
      const sink = new CursorStepSink(this.#writer, step, statement.wantRows, maxResponseBytes);
      const outcome = yield* this.#stream.session.run(
        { sql, bind: (plan) => bindArguments(plan.parameters, statement) },
        this.#context,
        sink,
      );
      if (outcome.truncated) throw responseTooLarge(outcome, maxResponseBytes);
      this.#writer.line(
        `{"type":"step_end","affected_row_count":${outcome.changes},"last_insert_rowid":${outcome.lastInsertRowid ?? 'null'}}`,
      );
      return 'ok';
    } catch (error) {
      if (isByocError(error, 'STREAM_EXPIRED')) throw error;
      this.#writer.line(`{"type":"step_error","step":${step},"error":${encodeStreamError(toStreamError(error))}}`);
      return 'error';
    }
  }
}
