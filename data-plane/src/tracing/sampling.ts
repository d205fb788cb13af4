import type { Runtime } from '../runtime.js';
import type { TraceParent } from './traceparent.js';

/** Traces a second that are kept only because whoever sent the request says so. */
export const mostAskedForPerSecond = 200;

/**
 * Decides which requests are traced: a share of those that say nothing of a trace, and those whose sender keeps the trace,
 * up to a rate, because anybody can say so of every request.
 */
export class Sampling {
  readonly #runtime: Pick<Runtime, 'monotonicMs' | 'randomFraction'>;
  readonly #share: number;
  #second = -1;
  #askedFor = 0;

  /** `share` is from 0 to 1. */
  constructor(runtime: Pick<Runtime, 'monotonicMs' | 'randomFraction'>, share: number) {
    this.#runtime = runtime;
    this.#share = share;
  }

  /** `isForwarded`: the node that passed it on has decided. */
  takes(parent: TraceParent | undefined, isForwarded: boolean): boolean {
    if (parent === undefined) return !isForwarded && this.#runtime.randomFraction() < this.#share;
    if (!parent.isSampled) return false;
    if (this.#share >= 1) return true;
    const second = Math.floor(this.#runtime.monotonicMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#askedFor = 0;
    }
    this.#askedFor += 1;
    return this.#askedFor <= mostAskedForPerSecond;
  }
}
