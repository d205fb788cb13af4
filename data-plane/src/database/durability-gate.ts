/**
 * The output gate of one database: an answer leaves the node when every commit it saw is durable.
 *
 * Invariant: `wait(seen)` resolves only after `advance(durable)` with durable ≥ seen. It never resolves because time
 * passed or because the store failed: then it rejects, and the client learns that the outcome is unknown.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';

interface Waiter {
  readonly commit: number;
  readonly deadlineMs: number;
  readonly resolve: () => void;
  readonly reject: (error: ByocError) => void;
}

export class DurabilityGate {
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  #durable: number;
  #failure: ByocError | undefined;
  /** In order of arrival, so also of deadlines; not of commits, because a slow reader's part comes here late. */
  #waiters: Waiter[] = [];
  #cancelTimer: (() => void) | undefined;

  /** `durable`: the commit the database was opened at. `timeoutMs`: how long an answer may wait for the store. */
  constructor(runtime: Runtime, durable: number, timeoutMs: number) {
    this.#runtime = runtime;
    this.#durable = durable;
    this.#timeoutMs = timeoutMs;
  }

  get durable(): number {
    return this.#durable;
  }

  /** Throws `OUTCOME_UNKNOWN` when the store takes too long, or what `fail` was given. */
  async wait(commit: number): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (commit <= this.#durable) return;
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ commit, deadlineMs: this.#runtime.monotonicMs() + this.#timeoutMs, resolve, reject });
      this.#armTimer();
    });
  }

  /** What was durable stays durable: a lower number than before changes nothing. */
  advance(durable: number): void {
    if (durable <= this.#durable) return;
    this.#durable = durable;
    const released = this.#waiters.filter(({ commit }) => commit <= durable);
    this.#waiters = this.#waiters.filter(({ commit }) => commit > durable);
    for (const waiter of released) waiter.resolve();
    if (this.#waiters.length === 0) this.#disarmTimer();
  }

  /** Lets nothing through any more. */
  fail(error: ByocError): void {
    this.#failure = error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
    this.#disarmTimer();
  }

  #armTimer(): void {
    const [oldest] = this.#waiters;
    if (this.#cancelTimer || !oldest) return;
    this.#cancelTimer = this.#runtime.schedule(Math.max(1, oldest.deadlineMs - this.#runtime.monotonicMs()), () => {
      this.#cancelTimer = undefined;
      this.#expire();
      this.#armTimer();
    });
  }

  #disarmTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #expire(): void {
    const now = this.#runtime.monotonicMs();
    const firstAlive = this.#waiters.findIndex((waiter) => waiter.deadlineMs > now);
    const expired = this.#waiters.splice(0, firstAlive < 0 ? this.#waiters.length : firstAlive);
    for (const waiter of expired) {
      waiter.reject(
        new ByocError(
          'OUTCOME_UNKNOWN',
          `the store did not confirm the commit within ${this.#timeoutMs} ms; it may still become durable`,
        ),
      );
    }
  }
}
