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
export class RequestLostError extends Error {
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

/** What a client is told of a lost request that is not run again. */
export function lostRequestError(lost: LostRequest): ByocError {
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
