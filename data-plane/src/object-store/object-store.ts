/**
 * The object store: the one place where durable state lives. S3 and a local directory implement it; the same contract
 * suite runs against every implementation.
 *
 * Keys are `/`-separated paths of [A-Za-z0-9._=-] segments; no segment is empty, `.` or `..`; at most 900 bytes,
 * because S3 takes 1,024 and a store in a bucket has a prefix of its own.
 */

/**
 * Identifies one version of an object's content; compared for equality only. A store may make it of the bytes, so that the
 * same bytes have the same ETag again: whoever replaces objects writes bytes that the object never had.
 */
export type ETag = string & { readonly etag: unique symbol };

export interface StoredObject {
  readonly body: Buffer;
  readonly etag: ETag;
}

/** When a conditional write may take effect. */
export type WriteCondition =
  /** Only if no object has this key (If-None-Match: *). */
  | { readonly ifAbsent: true }
  /** Only if the object's current version is this one (If-Match). */
  | { readonly ifMatch: ETag };

/**
 * The store's answer to a conditional write. `lost`: another write came first and this one took no effect. An answer
 * that never came is neither: the implementation throws `OutcomeUnknownError`, and the caller resolves it by reading.
 */
export type WriteResult = { readonly won: true; readonly etag: ETag } | { readonly won: false };

export interface ListPage {
  readonly keys: string[];
  /** Pass as `after` to get the next page; absent on the last one. */
  readonly next?: string;
}

export interface ObjectStore {
  /** The object, or undefined when there is none. Throws `StoreUnavailableError`. */
  get(key: string): Promise<StoredObject | undefined>;
  /**
   * Bytes `[start, start + length)` of the object, fewer when it ends earlier; undefined when there is no such object.
   * Throws `StoreUnavailableError`.
   */
  getRange(key: string, start: number, length: number): Promise<Buffer | undefined>;
  /**
   * Stores an object if the condition holds. When this resolves with `won: true` the object survives the loss of power.
   * Throws `OutcomeUnknownError` when the write may or may not have taken effect, `StoreUnavailableError` when it
   * certainly has not.
   */
  put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult>;
  /** Removes an object; removing one that is not there succeeds. */
  delete(key: string): Promise<void>;
  /** Keys that start with `prefix`, in ascending byte order, at most `limit` (default 1,000) a page. */
  list(prefix: string, options?: { after?: string; limit?: number }): Promise<ListPage>;
}

/** The store certainly did not do it: it could not be reached or refused. Retrying is safe. */
export class StoreUnavailableError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StoreUnavailableError';
  }
}

/** The write may or may not have taken effect; read the object to learn which. */
export class OutcomeUnknownError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'OutcomeUnknownError';
  }
}

const keyPattern = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/;

/** Throws when `key` is not a valid object key. Every implementation calls it before it touches anything. */
export function assertObjectKey(key: string): void {
  if (key.length > 900 || !keyPattern.test(key)) throw new RangeError(`invalid object key ${JSON.stringify(key)}`);
}
