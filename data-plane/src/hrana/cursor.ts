import type { DatabaseHost } from '../engine/process/database-host.js';
import { PoisonedError } from '../engine/process/poisoned.js';
import { RequestAbandoned, type RequestContext } from '../engine/process/request-context.js';
import type { ResponseStream } from '../engine/process/response-stream.js';
import type { Signal, Task } from '../engine/process/task.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { conditionHolds, type StepState } from './batch-condition.js';
import { bindArguments } from './bind-arguments.js';
import { CursorStepSink, CursorWriter } from './cursor-writer.js';
import type { HranaEncoding } from './encoding.js';
import type { BatchStep, HranaStatement } from './protocol.js';
import { responseTooLarge } from './statement-result.js';
import { toStreamError } from './stream-error.js';
import type { Stream } from './stream.js';
import type { StreamTable } from './stream-table.js';

/**
 * Serves a cursor. The stream always outlives it. Throws what fails before the first entry is written; later failures
 * end the cursor with an error entry.
 */
export function* serveCursor<Piece>(
  host: DatabaseHost,
  streams: StreamTable,
  context: RequestContext,
  response: ResponseStream,
  encoding: HranaEncoding<Piece>,
): Task {
  const { baton, steps } = encoding.decodeCursor(context.body);
  const stream = baton === undefined ? streams.open() : yield* streams.take(baton, context);
  const writer = new CursorWriter(host, response, encoding.newCursorBuffer());
  writer.add(encoding.cursorHead(streams.keep(stream, context)));
  const cursor = new Cursor(host, stream, context, writer, encoding);
  try {
    yield* cursor.run(steps);
    host.shipCommits();
    if (encoding.cursorEnd !== undefined) writer.add(encoding.cursorEnd);
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
    writer.breakOff(encoding.cursorError(toStreamError(reason)));
  }
}

/** What the last entry of a cursor says that could not go on; undefined for an error of another kind. */
function fatalError(error: unknown): ByocError | undefined {
  if (error instanceof RequestAbandoned) {
    return new ByocError('STREAM_EXPIRED', 'the cursor was left before its end');
  }
  if (error instanceof PoisonedError) return error.answer;
  return isByocError(error, 'STREAM_EXPIRED') ? error : undefined;
}

class Cursor<Piece> {
  readonly #host: DatabaseHost;
  readonly #stream: Stream;
  readonly #context: RequestContext;
  readonly #writer: CursorWriter<Piece>;
  readonly #encoding: HranaEncoding<Piece>;

  constructor(
    host: DatabaseHost,
    stream: Stream,
    context: RequestContext,
    writer: CursorWriter<Piece>,
    encoding: HranaEncoding<Piece>,
  ) {
    this.#host = host;
    this.#stream = stream;
    this.#context = context;
    this.#writer = writer;
    this.#encoding = encoding;
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
      const sink = new CursorStepSink(this.#writer, this.#encoding, step, statement.wantRows, maxResponseBytes);
      const outcome = yield* this.#stream.session.run(
        { sql, bind: (plan) => bindArguments(plan.parameters, statement) },
        this.#context,
        sink,
      );
      if (outcome.truncated) throw responseTooLarge(outcome, maxResponseBytes);
      this.#writer.add(this.#encoding.stepEnd(outcome));
      return 'ok';
    } catch (error) {
      if (isByocError(error, 'STREAM_EXPIRED')) throw error;
      this.#writer.add(this.#encoding.stepError(step, toStreamError(error)));
      return 'error';
    }
  }
}
