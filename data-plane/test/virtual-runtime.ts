import type { Runtime } from '../src/runtime.js';
import { TurnQueue, type WorkKind } from '../src/turns.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

interface Timer {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Time that passes only when a test lets it, and randomness from a seed. Between two timers everything that is ready
 * runs to its end, and real input and output passed to `hold` stops the clock, so that a run repeats exactly.
 */
export class VirtualRuntime implements Runtime {
  readonly #random: SeededRandom;
  #elapsedMs = 0;
  #wallClockStepMs = 0;
  #nextOrder = 0;
  #timers: Timer[] = [];
  #held = 0;
  readonly #turns = new TurnQueue((run) => this.schedule(0, run));

  constructor(seed = 1) {
    this.#random = seededRandom(seed);
  }

  nowMs(): number {
    return 1_700_000_000_000 + Math.floor(this.#elapsedMs + this.#wallClockStepMs);
  }

  /** The wall clock alone moves, as when it is set, or when the machine was suspended. */
  stepWallClock(ms: number): void {
    this.#wallClockStepMs += ms;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.schedule(ms, resolve));
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#elapsedMs + Math.max(0, ms), order: this.#nextOrder++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async turn(kind: WorkKind): Promise<void> {
    return this.#turns.take(kind);
  }

  randomBytes(count: number): Buffer {
    return this.#random.bytes(count);
  }

  randomFraction(): number {
    return this.#random.below(2 ** 31) / 2 ** 31;
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.length;
  }

  /** Time stands still until `work`, which the real world does, has ended. */
  async hold<T>(work: Promise<T>): Promise<T> {
    this.#held += 1;
    try {
      return await work;
    } finally {
      this.#held -= 1;
    }
  }

  /** Lets time pass until `work` has ended; returns its result. */
  async run<T>(work: Promise<T>): Promise<T> {
    const state = { hasEnded: false };
    const end = (): void => {
      state.hasEnded = true;
    };
    work.then(end, end);
    for (;;) {
      await this.#turn();
      if (state.hasEnded) return work;
      this.#fireNext(Infinity);
    }
  }

  /** Lets `ms` milliseconds pass, and everything happen that is due by then. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    do await this.#turn();
    while (this.#fireNext(untilMs));
    this.#elapsedMs = untilMs;
  }

  /** Lets time pass until no timer is set. */
  async drain(): Promise<void> {
    do await this.#turn();
    while (this.#fireNext(Infinity));
  }

  /** Everything that is ready runs, and what is held ends. */
  async #turn(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#held > 0);
  }

  #fireNext(untilMs: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      const isEarlier = !next || timer.atMs < next.atMs || (timer.atMs === next.atMs && timer.order < next.order);
      if (timer.atMs <= untilMs && isEarlier) next = timer;
    }
    if (!next) return false;
    const { atMs, run } = next;
    this.#timers = this.#timers.filter((timer) => timer !== next);
    this.#elapsedMs = Math.max(this.#elapsedMs, atMs);
    run();
    return true;
  }
}
