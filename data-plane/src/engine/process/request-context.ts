import type { Runtime } from '../../runtime.js';
import type { RequestKind } from '../ipc/messages.js';
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
  /** The HTTP request body, unparsed. */
  readonly body: Buffer;
}

/** One request while it is executed: what came in, and whether anybody still wants the answer. */
export class RequestContext implements IncomingRequest {
  readonly request: number;
  readonly kind: RequestKind;
  readonly readOnly: boolean;
  readonly body: Buffer;
  readonly #runtime: Runtime;
  #abandoned: 'client-left' | 'superseded' | undefined;
  #parkedOn: Signal | undefined;

  constructor(incoming: IncomingRequest, runtime: Runtime) {
    this.request = incoming.request;
    this.kind = incoming.kind;
    this.readOnly = incoming.readOnly;
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
   * Parks the task until the signal is raised, the request is abandoned, or `limitMs` have passed (which raises the
   * signal too; the caller looks at the state it waited for). Throws `RequestAbandoned`.
   */
  *park(signal: Signal, limitMs: number): Task {
    this.throwIfAbandoned();
    const cancel = this.#runtime.schedule(Math.max(1, limitMs), () => signal.raise());
    this.#parkedOn = signal;
    try {
      yield signal;
    } finally {
      this.#parkedOn = undefined;
      cancel();
    }
    this.throwIfAbandoned();
  }
}
