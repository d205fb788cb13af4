import type { DurabilityGate } from './durability-gate.js';
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
 */
export class GatedResponse {
  readonly #gate: DurabilityGate;
  readonly #onTaken: (bytes: number) => void;
  readonly #onAbandoned: () => void;
  readonly #parts: ResponsePart[] = [];
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(gate: DurabilityGate, onTaken: (bytes: number) => void, onAbandoned: () => void) {
    this.#gate = gate;
    this.#onTaken = onTaken;
    this.#onAbandoned = onAbandoned;
  }

  /** True once a part has come: the request can then no longer be run again unseen. */
  get hasStarted(): boolean {
    return this.#started;
  }
  #started = false;

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
    await this.#gate.wait(first.seenCommit);
    if (first.last) return { status: first.status, body: first.body };
    return { status: first.status, body: this.#stream(first) };
  }

  async *#stream(first: ResponsePart): AsyncGenerator<Buffer> {
    let part = first;
    let finished = false;
    try {
      for (;;) {
        if (part.body.length > 0) yield part.body;
        if (part.last) {
          finished = true;
          return;
        }
        this.#onTaken(part.body.length);
        part = await this.#next();
        await this.#gate.wait(part.seenCommit);
      }
    } finally {
      if (!finished) this.#onAbandoned();
    }
  }

  async #next(): Promise<ResponsePart> {
    for (;;) {
      const part = this.#parts.shift();
      if (part) return part;
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
