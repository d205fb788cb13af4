/** Why an engine process ended. */
export type ExitCause =
  /** A statement ran past its deadline, or the engine did not answer a control message; killed by its node. */
  | 'deadline'
  /** It took more memory than it may have; killed by its node. */
  | 'memory'
  /** The engine ended by itself: abort, segmentation fault, exit code. */
  | 'crash'
  /** Somebody else killed it: the kernel for lack of memory, or an operator. */
  | 'killed'
  /** It sent what no engine process sends; killed by its node. */
  | 'protocol'
  /** The node stopped it. */
  | 'stopped';

/** What was being executed, from the flight record; numbers as in the IPC messages. */
export interface Culprit {
  /** 0 when the engine was busy with a control message. */
  readonly request: number;
  readonly database: number;
}

export interface EngineExit {
  readonly cause: ExitCause;
  /** One sentence for the log. */
  readonly detail: string;
  /** Undefined when nothing was being executed, or when the node stopped the process. */
  readonly culprit: Culprit | undefined;
  /** False when the process never sent a frame: it may be unable to start at all. */
  readonly served: boolean;
}

/** A request that gets no (further) answer from the engine process that it was given to. */
export interface LostRequest {
  /** `poisoned` and `closed`: the process lives, but gave up the database or closed it; `cancelled`: by the caller. */
  readonly cause: ExitCause | 'poisoned' | 'closed' | 'cancelled';
  /** One sentence. */
  readonly reason: string;
  /** The process ended while it executed a statement of this request. */
  readonly isCulprit: boolean;
  /**
   * The request may write, and a commit of its database reached the node after the request had been sent to the engine.
   * False means for certain that nothing of it can ever take effect.
   */
  readonly hasCommitted: boolean;
  /** The statement deadline of the process. */
  readonly deadlineMs: number;
  /** What the process may have to itself, in bytes. */
  readonly memoryBytes: number;
}
