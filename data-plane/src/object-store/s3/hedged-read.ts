import { types } from 'node:util';
import type { Runtime } from '../../runtime.js';

/** One of the requests that race for the same answer. */
export interface Leg<T> {
  readonly result: Promise<T>;
  readonly abort: () => void;
}

/** The share of reads that should be slower than the delay after which they are sent again. */
const lateShare = 0.05;
const adjustment = 0.1;
/** Hedges that may be saved up. */
const maxSavedHedges = 10;
const firstDelayMs = 100;

/**
 * Sends a read a second time when its answer is late, and takes whichever answer comes first; the other request is
 * aborted. The delay follows the time that 19 of 20 reads stay below. The share of reads that are sent twice is bounded:
 * when the store is slow for everybody, doubling its load would make it slower.
 */
export class HedgedReads {
  #delayMs = firstDelayMs;
  #saved = 1;

  constructor(
    private readonly runtime: Pick<Runtime, 'schedule'>,
    private readonly options: { readonly share: number; readonly minDelayMs: number; readonly maxDelayMs: number },
  ) {}

  /** After how long without an answer a read is sent again, milliseconds. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /**
   * The result of the first leg that is answered. A leg calls `answered` when the head of its answer is there. Rejects
   * when the answered leg fails, or all that were sent do.
   */
  async run<T>(startLeg: (answered: () => void) => Leg<T>): Promise<T> {
    this.#saved = Math.min(maxSavedHedges, this.#saved + this.options.share);
    return new Promise((resolve, reject) => {
      const legs: Leg<T>[] = [];
      let winner: Leg<T> | undefined;
      let failed = 0;
      let cancelHedge: (() => void) | undefined;

      const settle = (leg: Leg<T>): boolean => {
        if (winner) return winner === leg;
        winner = leg;
        this.#notLate(cancelHedge);
        cancelHedge = undefined;
        for (const other of legs) if (other !== leg) other.abort();
        return true;
      };
      const start = (): void => {
        const leg: Leg<T> = startLeg(() => settle(leg));
        legs.push(leg);
        leg.result.then(
          (value) => {
            if (settle(leg)) resolve(value);
          },
          (error: unknown) => {
            failed += 1;
            if (winner ? winner !== leg : failed < legs.length) return;
            cancelHedge?.();
            reject(types.isNativeError(error) ? error : new Error(String(error)));
          },
        );
      };
      start();
      if (this.options.share === 0) return;
      cancelHedge = this.runtime.schedule(this.#delayMs, () => {
        cancelHedge = undefined;
        this.#late();
        if (this.#saved < 1) return;
        this.#saved -= 1;
        start();
      });
    });
  }

  #late(): void {
    this.#delayMs = Math.min(this.options.maxDelayMs, this.#delayMs * Math.exp(adjustment * (1 - lateShare)));
  }

  #notLate(cancelHedge: (() => void) | undefined): void {
    if (!cancelHedge) return;
    cancelHedge();
    this.#delayMs = Math.max(this.options.minDelayMs, this.#delayMs * Math.exp(-adjustment * lateShare));
  }
}
