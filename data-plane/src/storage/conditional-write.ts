import { ByocError } from '../errors/catalogue.js';
import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ETag,
  type ObjectStore,
  type WriteCondition,
} from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';

/** How a write that got no clear answer is tried again. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const requestRetries: RetryPolicy = { attempts: 6, firstDelayMs: 20, maxDelayMs: 1_000 };

/** Delay before attempt number `attempt` (from 1), doubled each time, with jitter. */
export function backoffMs(runtime: Runtime, policy: RetryPolicy, attempt: number): number {
  return Math.min(policy.firstDelayMs * 2 ** (attempt - 1), policy.maxDelayMs) * (0.5 + runtime.randomFraction());
}

/** `lost` carries what stands there instead (undefined when it is gone again). */
export type ResolvedWrite =
  | { readonly won: true; readonly etag: ETag }
  | { readonly won: false; readonly current: { body: Buffer; etag: ETag } | undefined };

/**
 * A conditional write that is tried until its outcome is known: an unknown one is resolved by reading (my bytes = won,
 * other bytes = lost). The bytes of every attempt are identical; two writers write the same bytes only when it does not
 * matter which of them did, because every other object carries the epoch or version of its writer. `lost` can also mean
 * that the write took effect and something newer replaced it before its answer came.
 *
 * Throws `STORE_UNAVAILABLE` when the attempts are used up. The write may still take effect then, even later: whoever
 * goes on reads the object first.
 */
export async function conditionalWrite(
  runtime: Runtime,
  store: ObjectStore,
  key: string,
  body: Buffer,
  condition: WriteCondition,
  policy: RetryPolicy = requestRetries,
): Promise<ResolvedWrite> {
  let lastError: unknown;
  let mayHaveTakenEffect = false;
  for (let attempt = 0; attempt < policy.attempts; attempt++) {
    if (attempt > 0) await runtime.sleep(backoffMs(runtime, policy, attempt));
    try {
      if (mayHaveTakenEffect) {
        const current = await store.get(key);
        if (current?.body.equals(body)) return { won: true, etag: current.etag };
      }
      const result = await store.put(key, body, condition);
      if (result.won) return result;
      const current = await store.get(key);
      if (current?.body.equals(body)) return { won: true, etag: current.etag };
      return { won: false, current };
    } catch (error) {
      if (error instanceof OutcomeUnknownError) mayHaveTakenEffect = true;
      else if (!(error instanceof StoreUnavailableError)) throw error;
      lastError = error;
    }
  }
  throw new ByocError('STORE_UNAVAILABLE', `object ${key} could not be written`, { cause: lastError });
}

/** Reads an object, trying again while the store cannot be reached. Throws `STORE_UNAVAILABLE`. */
export async function readWithRetry<T>(
  runtime: Runtime,
  what: string,
  read: () => Promise<T>,
  policy: RetryPolicy = requestRetries,
): Promise<T> {
  let lastError: unknown;
  for (let attempt = 0; attempt < policy.attempts; attempt++) {
    if (attempt > 0) await runtime.sleep(backoffMs(runtime, policy, attempt));
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      lastError = error;
    }
  }
  throw new ByocError('STORE_UNAVAILABLE', `object ${what} could not be read`, { cause: lastError });
}

/** Creates an object whose name nobody else can choose. Throws `STORE_UNAVAILABLE`. */
export async function writeOnce(runtime: Runtime, store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const written = await conditionalWrite(runtime, store, key, bytes, { ifAbsent: true });
  if (!written.won) throw new Error(`object ${key} was written by someone else`);
}

/** Deletes an object that nobody creates again, or that may be gone already. Throws `STORE_UNAVAILABLE`. */
export async function deleteWithRetry(runtime: Runtime, store: ObjectStore, key: string): Promise<void> {
  await withRetry(runtime, `object ${key} could not be deleted`, () => store.delete(key));
}

/** Does what may be done again, until its success is known. Throws `STORE_UNAVAILABLE` with `failure` as its message. */
export async function withRetry(
  runtime: Runtime,
  failure: string,
  run: () => Promise<void>,
  policy: RetryPolicy = requestRetries,
): Promise<void> {
  let lastError: unknown;
  for (let attempt = 0; attempt < policy.attempts; attempt++) {
    if (attempt > 0) await runtime.sleep(backoffMs(runtime, policy, attempt));
    try {
      await run();
      return;
    } catch (error) {
      if (!(error instanceof StoreUnavailableError || error instanceof OutcomeUnknownError)) throw error;
      lastError = error;
    }
  }
  throw new ByocError('STORE_UNAVAILABLE', failure, { cause: lastError });
}
