/**
 * Whether a service that this process depends on answers it, for whoever decides whether to send requests here.
 *
 * Invariants. It costs the service nothing while nobody asks, and little when somebody does: what real requests met is
 * evidence, and the service is asked only when there was none lately, by one request at a time, beside the answer and never
 * before it. A refusal is an answer: only silence makes a service unreachable.
 */
import type { Runtime } from './runtime.js';

export interface ReachabilityOptions {
  readonly runtime: Pick<Runtime, 'monotonicMs'>;
  /** One cheap request. Resolves when the service answered, whatever it said; rejects when it did not. */
  readonly ask: () => Promise<void>;
  /** How long an answer counts. @default 15000 */
  readonly freshMs?: number;
  /** How long after no answer the service is asked again. @default 2000 */
  readonly retryMs?: number;
  /** How long a request may take before the service counts as silent. @default 5000 */
  readonly patienceMs?: number;
}

export class Reachability {
  readonly #options: Required<ReachabilityOptions>;
  #hasAnswered = true;
  #knownAtMs: number;
  #askedAtMs: number | undefined;

  /** To be made when the service has just answered, as it did when the process started. */
  constructor(options: ReachabilityOptions) {
    this.#options = { freshMs: 15_000, retryMs: 2_000, patienceMs: 5_000, ...options };
    this.#knownAtMs = options.runtime.monotonicMs();
  }

  /** A request to the service ended; `hasAnswered` is false when nothing is known of what the service thinks of it. */
  note(hasAnswered: boolean): void {
    this.#hasAnswered = hasAnswered;
    this.#knownAtMs = this.#options.runtime.monotonicMs();
  }

  /** What is known now. Asks the service when that is old, so that the next answer is better. */
  isReached(): boolean {
    const { runtime, freshMs, retryMs, patienceMs } = this.#options;
    const nowMs = runtime.monotonicMs();
    if (this.#askedAtMs === undefined) {
      if (nowMs - this.#knownAtMs >= (this.#hasAnswered ? freshMs : retryMs)) this.#ask(nowMs);
      return this.#hasAnswered;
    }
    return this.#hasAnswered && nowMs - this.#askedAtMs < patienceMs;
  }

  #ask(nowMs: number): void {
    this.#askedAtMs = nowMs;
    this.#options.ask().then(
      () => this.#asked(true),
      () => this.#asked(false),
    );
  }

  #asked(hasAnswered: boolean): void {
    this.#askedAtMs = undefined;
    this.note(hasAnswered);
  }
}
