import type { Clock } from '../clock.js';

export interface RetryOptions {
  readonly clock: Clock;
  /** No attempt starts later than this after the first one. */
  readonly budgetMs: number;
  /** Whether an error may be gone the next time. Everything else is thrown at once. */
  readonly isRetriable: (error: unknown) => boolean;
  /** Ends the waiting; the signal's reason is thrown. */
  readonly signal?: AbortSignal;
  /** Uniform in [0, 1); spreads the retries of many callers. */
  readonly random?: () => number;
}

const firstDelayMs = 50;
const maxDelayMs = 1_000;

/**
 * Runs `operation` until it succeeds, fails for good, or the budget is spent; then the last error is thrown. The delay
 * between attempts doubles from 50 ms to 1 s, of which a random half is taken. `operation` must be idempotent.
 */
export async function withRetry<T>(operation: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, budgetMs, isRetriable, signal, random = Math.random } = options;
  const deadline = clock.now() + budgetMs;
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, maxDelayMs)) {
    try {
      return await operation();
    } catch (error) {
      const pauseMs = delayMs * (0.5 + random() / 2);
      if (!isRetriable(error) || clock.now() + pauseMs > deadline) throw error;
      await clock.sleep(pauseMs, signal);
    }
  }
}
