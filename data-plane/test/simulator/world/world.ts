/**
 * The simulated world: one virtual time, one seed, one order of events. Everything that happens is an event of the queue;
 * between two events all promises settle. A run therefore follows from its seed alone, provided that nothing in it waits
 * for the real world.
 */
import { asError } from './as-error.js';
import { EventQueue } from './event-queue.js';
import { Random } from './random.js';
import { Trace } from './trace.js';

/** How many events are run before the event loop of the process gets a turn. */
const batch = 64;

export class World {
  readonly random: Random;
  readonly trace: Trace;
  /** What went wrong, in the order in which it was noticed. */
  readonly violations: string[] = [];
  readonly #queue = new EventQueue();
  #nowMs = 0;
  #events = 0;

  constructor(seed: number, options: { readonly keepsTrace?: boolean } = {}) {
    this.random = new Random(seed);
    this.trace = new Trace(options.keepsTrace ?? false);
  }

  /** Milliseconds since the world began, as nobody in it knows them exactly. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get events(): number {
    return this.#events;
  }

  note(who: string, what: string): void {
    this.trace.add(this.#nowMs, who, what);
  }

  /** A property that the product promises does not hold. */
  violate(what: string): void {
    this.note('CHECK', what);
    this.violations.push(what);
  }

  /** Runs `run` after `ms` milliseconds unless the returned function was called before. */
  schedule(ms: number, run: () => void): () => void {
    const event = this.#queue.add(this.#nowMs + Math.max(0, ms), run);
    return () => {
      event.run = undefined;
    };
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.schedule(ms, resolve));
  }

  /**
   * Lets time pass until `work` has ended; returns its result. Throws when nothing can happen any more before that, or
   * when it has not ended by `untilMs`.
   */
  async run<T>(work: Promise<T>, untilMs: number): Promise<T> {
    const state = { hasEnded: false };
    const end = (): void => {
      state.hasEnded = true;
    };
    work.then(end, end);
    for (;;) {
      const isStuck = await this.#runBatch(() => state.hasEnded);
      if (state.hasEnded) return work;
      if (this.#nowMs > untilMs) throw new Error(`it has not come to an end after ${untilMs} ms`);
      if (isStuck) throw new Error('the world stands still: nothing is left to happen');
    }
  }

  /**
   * Runs events, one in each turn of the event loop, so that promises settle in between; several turns are asked for at
   * once, because asking for one at a time costs a system call each. Resolves with whether the queue ran dry.
   */
  async #runBatch(hasEnded: () => boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let left = batch;
      let isOver = false;
      const end = (isStuck: boolean): void => {
        isOver = true;
        resolve(isStuck);
      };
      const turn = (): void => {
        left -= 1;
        if (isOver) return;
        if (hasEnded()) {
          end(false);
          return;
        }
        const event = this.#queue.take();
        if (!event) {
          end(true);
          return;
        }
        this.#nowMs = event.atMs;
        this.#events += 1;
        try {
          event.run?.();
        } catch (error) {
          isOver = true;
          reject(asError(error));
          return;
        }
        if (left === 0) end(false);
      };
      for (let index = 0; index < batch; index++) setImmediate(turn);
    });
  }
}
