import type { Runtime } from '../../src/runtime.js';
import { TurnQueue, type WorkKind } from '../../src/turns.js';

/** Time that moves only when a test says so; both clocks move together. */
export class ManualRuntime implements Runtime {
  #ms = 0;
  #timers: { readonly dueMs: number; readonly run: () => void }[] = [];
  #random = 0;
  readonly #turns = new TurnQueue((run) => this.schedule(0, run));

  constructor(private readonly startMs = Date.UTC(2030, 0, 1)) {}

  nowMs(): number {
    return this.startMs + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.schedule(ms, resolve));
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { dueMs: this.#ms + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  turn(kind: WorkKind): Promise<void> {
    return this.#turns.take(kind);
  }

  randomBytes(count: number): Buffer {
    this.#random += 1;
    return Buffer.alloc(count, this.#random);
  }

  randomFraction(): number {
    return 0.5;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Moves both clocks and runs what is due, in order, then lets promises settle. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#ms + ms;
    for (;;) {
      const next = this.#timers.filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#ms = Math.max(this.#ms, next.dueMs);
      next.run();
      await settle();
    }
    this.#ms = untilMs;
    await settle();
  }
}

/** Lets everything that waits for promises, not for time, go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
