/**
 * The output gate of one database: an answer leaves the node when every commit it saw is durable and the node's lease
 * holds.
 *
 * Invariant: `wait(seen)` resolves only after `advance(durable)` with durable ≥ seen, and at a moment at which the lease
 * holds: then nobody else had claimed the database when the answer was made. It never resolves because time passed or
 * because the store failed: then it rejects, and the client learns that the outcome is unknown.
 */
import { ByocError } from '../errors/catalogue.js';
import type { Lease } from '../ownership/own-record.js';
import type { Runtime } from '../runtime.js';

interface Waiter {
  readonly commit: number;
  readonly deadlineMs: number;
  readonly resolve: (position: number | undefined) => void;
  readonly reject: (error: ByocError) => void;
}

export class DurabilityGate {
  readonly #runtime: Runtime;
  readonly #lease: Lease;
  readonly #timeoutMs: number;
  #durable: number;
  #failure: ByocError | undefined;
  /** In order of arrival, so also of deadlines; not of commits, because a slow reader's part comes here late. */
  #waiters: Waiter[] = [];
  #cancelTimer: (() => void) | undefined;

  /** `durable`: the commit the database was opened at. `timeoutMs`: how long an answer may wait for the store. */
  constructor(runtime: Runtime, lease: Lease, durable: number, timeoutMs: number) {
    this.#runtime = runtime;
    this.#lease = lease;
    this.#durable = durable;
    this.#timeoutMs = timeoutMs;
  }

  get durable(): number {
    return this.#durable;
  }

  /**
   * Resolves with what `advance` was told of the object that made the commit durable, if it was waited for. Throws
   * `OUTCOME_UNKNOWN` when the store takes too long, or what `fail` was given.
   */
  async wait(commit: number): Promise<number | undefined> {
    if (this.#failure) throw this.#failure;
    const position = commit > this.#durable ? await this.durableAt(commit) : undefined;
    if (!this.#lease.holds()) await this.#leased();
    return position;
  }

  /** Resolves when the lease holds again and nothing was given up meanwhile. */
  async #leased(): Promise<void> {
    const holds = await this.#lease.held(this.#timeoutMs).catch((cause: unknown) => {
      throw this.#failure ?? new ByocError('OUTCOME_UNKNOWN', 'another node has ended this one', { cause });
    });
    if (this.#failure) throw this.#failure;
    if (!holds) {
      throw new ByocError('OUTCOME_UNKNOWN', `this node could not renew its lease within ${this.#timeoutMs} ms`);
    }
  }

  /**
   * Resolves when `commit` is durable, whether or not the lease holds. Throws as `wait`: what may leave the node waits
   * there; this is for what the node itself does next.
   */
  async durableAt(commit: number): Promise<number | undefined> {
    if (this.#failure) throw this.#failure;
    if (commit <= this.#durable) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ commit, deadlineMs: this.#runtime.monotonicMs() + this.#timeoutMs, resolve, reject });
      this.#armTimer();
    });
  }

  /**
   * What was durable stays durable: a lower number than before changes nothing. `position`: of the log object that made it
   * so.
   */
  advance(durable: number, position?: number): void {
    if (durable <= this.#durable) return;
    this.#durable = durable;
    const released = this.#waiters.filter(({ commit }) => commit <= durable);
    this.#waiters = this.#waiters.filter(({ commit }) => commit > durable);
    for (const waiter of released) waiter.resolve(position);
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
