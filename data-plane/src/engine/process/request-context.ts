import { ByocError } from '../../errors/catalogue.js';
import type { Runtime } from '../../runtime.js';
import type { RequestKind, Restrictions } from '../ipc/messages.js';
import type { Signal } from './task.js';
import { type Task } from './task.js';

/** Thrown inside a task when its request need not go on; nothing that has not started is started. */
export class RequestAbandoned extends Error {
  override readonly name = 'RequestAbandoned';
  /** `client-left`: the connection is gone. `superseded`: the client went on with the next request of the stream. */
  readonly reason: 'client-left' | 'superseded';

  constructor(reason: 'client-left' | 'superseded') {
    super(`request abandoned: ${reason}`);
    this.reason = reason;
  }
}

export interface IncomingRequest {
  readonly request: number;
  readonly kind: RequestKind;
  /** The request came with a token that may only read. */
  readonly readOnly: boolean;
  readonly restrictions?: Restrictions | undefined;
  /** The HTTP request body, unparsed. */
  readonly body: Buffer;
}

/** One request while it is executed: what came in, and whether anybody still wants the answer. */
export class RequestContext implements IncomingRequest {
  readonly request: number;
  readonly kind: RequestKind;
  readonly readOnly: boolean;
  readonly restrictions: Restrictions | undefined;
  readonly body: Buffer;
  readonly #runtime: Runtime;
  #abandoned: 'client-left' | 'superseded' | undefined;
  #parkedOn: Signal | undefined;
  /** When its first statement began, on the monotonic clock, put off by the time it was not running since. */
  #startedMs: number | undefined;

  constructor(incoming: IncomingRequest, runtime: Runtime) {
    this.request = incoming.request;
    this.kind = incoming.kind;
    this.readOnly = incoming.readOnly;
    this.restrictions = incoming.restrictions;
    this.body = incoming.body;
    this.#runtime = runtime;
  }

  /** Makes the task stop at its next statement or yield; a parked task stops at once. */
  abandon(reason: 'client-left' | 'superseded'): void {
    this.#abandoned ??= reason;
    this.#parkedOn?.raise();
  }

  /** Throws `RequestAbandoned` when the request need not go on. */
  throwIfAbandoned(): void {
    if (this.#abandoned !== undefined) throw new RequestAbandoned(this.#abandoned);
  }

  /**
   * To be called before each statement. Throws REQUEST_TOO_LONG when the request has run for more than `limitMs`: a
   * statement that takes too long is stopped, a request that makes progress ends between two of them.
   */
  throwIfTooLong(limitMs: number): void {
    const nowMs = this.#runtime.monotonicMs();
    this.#startedMs ??= nowMs;
    if (nowMs - this.#startedMs <= limitMs) return;
    const message = `the request has run for more than ${limitMs} ms; what it did until then is not undone`;
    throw new ByocError('REQUEST_TOO_LONG', message);
  }

  /** Lets others run. */
  *giveWay(): Task {
    const fromMs = this.#runtime.monotonicMs();
    yield undefined;
    this.#rested(fromMs);
  }

  /**
   * Parks the task until the signal is raised, the request is abandoned, or `limitMs` have passed (which raises the
   * signal too; the caller looks at the state it waited for). Throws `RequestAbandoned`.
   */
  *park(signal: Signal, limitMs: number): Task {
    this.throwIfAbandoned();
    const cancel = this.#runtime.schedule(Math.max(1, limitMs), () => signal.raise());
    this.#parkedOn = signal;
    const fromMs = this.#runtime.monotonicMs();
    try {
      yield signal;
      this.#rested(fromMs);
    } finally {
      this.#parkedOn = undefined;
      cancel();
    }
    this.throwIfAbandoned();
  }

  #rested(fromMs: number): void {
    if (this.#startedMs !== undefined) this.#startedMs += this.#runtime.monotonicMs() - fromMs;
  }
}
