/** One request of an open database: from the engine process it is in, through the gate, to the client. */
import type { LostRequest, OpenedInEngine } from '../engine/pool/engine-pool.js';
import type { EnginePlace } from '../engine/pool/engines.js';
import { ByocError } from '../errors/catalogue.js';
import { AnswerTrace } from './answer-trace.js';
import { onAbort } from './abort-listeners.js';
import type { SqlRequest, SqlResponse } from './database-service.js';
import type { DurabilityGate } from './durability-gate.js';
import { GatedResponse } from './gated-response.js';
import { onStreamEnd } from './stream-end.js';

/** The engine gives no (further) answer; what is to be made of that is the database's decision. */
class RequestLostError extends Error {
  constructor(readonly lost: LostRequest) {
    super(lost.reason);
  }
}

export interface EngineAnswer {
  /** Rejects with `RequestLostError`, with a refusal of the slot, and with what the gate throws. */
  readonly answer: Promise<SqlResponse>;
  /** True once a part has come: the request can then no longer be run again unseen. */
  readonly hasStarted: () => boolean;
}

/** Sends a request to the engine; what it answers leaves through the gate. */
export function runInEngine(
  { slot, opened }: { readonly slot: EnginePlace; readonly opened: OpenedInEngine },
  gate: DurabilityGate,
  request: SqlRequest,
): EngineAnswer {
  const trace = request.trace && new AnswerTrace(request.trace);
  const gated = new GatedResponse(
    gate,
    (bytes) => slot.credit(ticket, bytes),
    () => slot.cancel(ticket),
    trace,
  );
  const ticket = slot.request(
    opened,
    { kind: request.kind, readOnly: request.readOnly, restrictions: request.restrictions, body: request.body },
    {
      onPart: (part) => gated.push(part),
      onLost: (lost) => gated.fail(new RequestLostError(lost)),
      onRefused: (error) => gated.fail(error),
    },
  );
  const ended = onAbort(request.signal, () => slot.cancel(ticket));
  const answer = gated.response().then(
    ({ status, body }): SqlResponse => {
      // A streamed answer goes on being the client's: when the client leaves, the engine must not work on.
      if (!Buffer.isBuffer(body)) return { status, body: onStreamEnd(body, ended) };
      ended();
      return { status, body };
    },
    (error: unknown) => {
      ended();
      trace?.failed(error);
      throw error;
    },
  );
  return { answer, hasStarted: () => gated.hasStarted };
}

/** How things stood when a request failed. */
export interface FailedRequest {
  readonly request: Pick<SqlRequest, 'readOnly' | 'signal'>;
  /** Why the database was given up, if it was. */
  readonly defunct: ByocError | undefined;
  /** Commits of the database were handed to the log since the request began. */
  readonly hasSeenCommits: boolean;
  /** A part of the answer was given away. */
  readonly hasStarted: boolean;
  /** It was run again as often as it may be. */
  readonly isLastRun: boolean;
}

/** What a client is told of a request that failed with `error`; undefined when it is to be run again, unseen. */
export function failureToTell(
  error: Error,
  { request, defunct, hasSeenCommits, hasStarted, isLastRun }: FailedRequest,
): Error | undefined {
  // A request that may have committed must not be sent again unseen, whatever ended this instance.
  if (defunct && error === defunct) {
    if (request.readOnly || !hasSeenCommits || defunct.code === 'DATABASE_NOT_FOUND') return defunct;
    return new ByocError('OUTCOME_UNKNOWN', `the commit may still become durable: ${defunct.message}`, {
      cause: defunct,
    });
  }
  if (!(error instanceof RequestLostError)) return error;
  const { lost } = error;
  if (defunct && !lost.hasCommitted) return defunct;
  const isOver = lost.isCulprit || lost.hasCommitted || hasStarted || isLastRun || request.signal.aborted;
  return isOver ? lostRequestError(lost) : undefined;
}

/** What a client is told of a lost request that is not run again. */
function lostRequestError(lost: LostRequest): ByocError {
  if (lost.hasCommitted) {
    return new ByocError(
      'OUTCOME_UNKNOWN',
      'the engine process ended while the request ran; a part of it has taken effect',
    );
  }
  if (lost.cause === 'deadline' && lost.isCulprit) {
    return new ByocError(
      'STATEMENT_TIMEOUT',
      `the statement ran past its deadline of ${lost.deadlineMs} ms and was stopped`,
    );
  }
  if (lost.cause === 'memory' && lost.isCulprit) {
    const mebibytes = Math.round(lost.memoryBytes / 2 ** 20);
    return new ByocError(
      'MEMORY_EXCEEDED',
      `the statement was stopped: its engine process may take ${mebibytes} MiB of memory, and took more`,
    );
  }
  return new ByocError('ENGINE_RESTARTED', 'the engine process ended while the request ran; it did not take effect');
}
