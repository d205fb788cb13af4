import { jitteredDelayMs } from '../../aws/jittered-delay.js';
import type { Runtime } from '../../runtime.js';
import { StoreUnavailableError } from '../object-store.js';
import { FailedRequest } from './failed-request.js';
import type { RetryBudget } from '../../aws/retry-budget.js';

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
