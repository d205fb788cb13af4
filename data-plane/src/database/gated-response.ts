import type { DurabilityGate } from './durability-gate.js';
import type { AnswerTrace } from './answer-trace.js';
import type { SqlResponse } from './database-service.js';

/** One part of an engine's answer, in the order in which the engine made them. */
export interface ResponsePart {
  readonly status: number;
  /** The highest commit this part depends on. */
  readonly seenCommit: number;
  readonly last: boolean;
  readonly body: Buffer;
}

/**
 * Collects the parts of one answer and lets each one out when the gate allows. A whole answer resolves as one buffer; a
 * streamed one as an iterable whose consumer sets the pace: `onTaken` is called with the bytes it took.
 *
 * `onAbandoned` is called at most once, when nobody will take what the engine still has to say: the consumer went away,
 * also before it took anything, or the gate did not let a part out.
 */
export class GatedResponse {
  readonly #gate: DurabilityGate;
  readonly #onTaken: (bytes: number) => void;
  readonly #onAbandoned: () => void;
  readonly #trace: AnswerTrace | undefined;
  readonly #parts: ResponsePart[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;
  #started = false;
  /** The engine has nothing more to say, or nobody listens. */
  #isOver = false;

  constructor(gate: DurabilityGate, onTaken: (bytes: number) => void, onAbandoned: () => void, trace?: AnswerTrace) {
    this.#gate = gate;
    this.#onTaken = onTaken;
    this.#onAbandoned = onAbandoned;
    this.#trace = trace;
  }

  /** True once a part has come: the request can then no longer be run again unseen. */
  get hasStarted(): boolean {
    return this.#started;
  }

  push(part: ResponsePart): void {
    this.#started = true;
    this.#parts.push(part);
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#wake?.();
  }

  /** Resolves when the first part may leave. Rejects with what `fail` was given or what the gate throws. */
  async response(): Promise<SqlResponse> {
    const first = await this.#next();
    if (!first) throw new Error('a response was abandoned before it was asked for');
    this.#trace?.answered(first.seenCommit > this.#gate.durable);
    try {
      const position = await this.#gate.wait(first.seenCommit);
      this.#trace?.released(position);
    } catch (error) {
      this.#abandon();
      throw error;
    }
    if (first.last) return { status: first.status, body: first.body };
    return { status: first.status, body: this.#stream(first) };
  }

  #stream(first: ResponsePart): AsyncIterableIterator<Buffer> {
    const bodies = this.#bodies(first);
    const stream: AsyncIterableIterator<Buffer> = {
      next: async () => bodies.next(),
      // A generator ends only between two parts and runs no `finally` before its first one; the engine must stop now.
      return: async () => {
        this.#abandon();
        return bodies.return(undefined);
      },
      [Symbol.asyncIterator]: () => stream,
    };
    return stream;
  }

  async *#bodies(first: ResponsePart): AsyncGenerator<Buffer, undefined> {
    let part = first;
    try {
      for (;;) {
        if (part.body.length > 0) yield part.body;
        if (part.last) return undefined;
        this.#onTaken(part.body.length);
        const next = await this.#next();
        if (!next) return undefined;
        await this.#gate.wait(next.seenCommit);
        part = next;
      }
    } finally {
      this.#abandon();
    }
  }

  #abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onAbandoned();
    this.#wake?.();
  }

  /** The next part, or undefined when the response was abandoned. */
  async #next(): Promise<ResponsePart | undefined> {
    for (;;) {
      const part = this.#parts.shift();
      if (part) {
        if (part.last) this.#isOver = true;
        return part;
      }
      if (this.#failure) {
        this.#isOver = true;
        throw this.#failure;
      }
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
