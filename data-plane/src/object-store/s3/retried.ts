import type { Runtime } from '../../runtime.js';
import { StoreUnavailableError } from '../object-store.js';
import { FailedRequest } from './failed-request.js';
import type { RetryBudget } from './retry-budget.js';

const firstDelayMs = 20;
const maxDelayMs = 1_000;

/** A delay before attempt `attempt` (from 1), milliseconds: doubled each time, anywhere below it, so that clients spread. */
export function jitteredDelayMs(runtime: Pick<Runtime, 'randomFraction'>, attempt: number): number {
  return Math.min(firstDelayMs * 2 ** (attempt - 1), maxDelayMs) * runtime.randomFraction();
}

/**
 * Runs an operation that does no harm when it is done twice, again while it fails in a way that may pass and the budget
 * allows it. Throws `StoreUnavailableError`, and whatever the operation throws beside `FailedRequest`.
 */
export async function retried<T>(
  runtime: Pick<Runtime, 'sleep' | 'randomFraction'>,
  budget: RetryBudget,
  attempts: number,
  operation: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const result = await operation();
      budget.succeeded();
      return result;
    } catch (error) {
      if (!(error instanceof FailedRequest)) throw error;
      if (!error.isTransient || attempt >= attempts || !budget.take()) {
        throw new StoreUnavailableError(error.message, { cause: error });
      }
    }
    await runtime.sleep(jitteredDelayMs(runtime, attempt));
  }
}
