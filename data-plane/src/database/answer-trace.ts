import { failureOf } from '../tracing/failure-of.js';
import type { TraceSpan } from '../tracing/trace-span.js';

/** What the trace of a request shows of its way through the engine process and the gate, up to the first part of the answer. */
export class AnswerTrace {
  readonly #request: TraceSpan;
  readonly #execution: TraceSpan | undefined;
  #wait: TraceSpan | undefined;

  /** The request is being given to the engine process. */
  constructor(request: TraceSpan) {
    this.#request = request;
    this.#execution = request.child('engine execute');
  }

  /** The engine process has said something; `waits`: it depends on a commit that is not durable yet. */
  answered(waits: boolean): void {
    this.#execution?.end();
    if (waits) this.#wait = this.#request.child('commit wait');
  }

  /** The gate lets it out; `position`: of the log object that it waited for. */
  released(position: number | undefined): void {
    if (position !== undefined) this.#wait?.logWrite(position);
    this.#wait?.end();
  }

  /** There is no answer. */
  failed(error: unknown): void {
    for (const span of [this.#execution, this.#wait]) {
      span?.fail(failureOf(error));
      span?.end();
    }
  }
}
