/**
 * The object store in a bucket: general purpose (S3 Standard) or directory (S3 Express One Zone).
 *
 * What it adds to the SDK is the meaning of answers. A conditional write is won, lost, certainly not done, or unknown, and
 * nothing is called certain that S3 does not promise (see `failed-request.ts`, `write-answer.ts`). A read is tried again,
 * hedged, and checked against the checksum it was stored with.
 */
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import type { Runtime } from '../../runtime.js';
import {
  assertObjectKey,
  type ListPage,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
  type WriteResult,
} from '../object-store.js';
import type { ObjectVersions } from '../object-versions.js';
import { FailedRequest } from './failed-request.js';
import { retried } from './retried.js';
import { RetryBudget } from '../../aws/retry-budget.js';
import { S3Listing } from './s3-listing.js';
import { S3Reads } from './s3-reads.js';
import { bucketFields, S3Requests } from './s3-requests.js';
import { resolveS3Options, type ResolvedS3Options, type S3StoreOptions } from './s3-store-options.js';
import { S3Versions } from './s3-versions.js';
import { S3Writes } from './s3-writes.js';

const defaultPageKeys = 1_000;

export class S3ObjectStore implements ObjectStore {
  readonly #options: ResolvedS3Options;
  readonly #runtime: Runtime;
  readonly #requests: S3Requests;
  readonly #budget = new RetryBudget();
  readonly #reads: S3Reads;
  readonly #writes: S3Writes;
  readonly #listing: S3Listing;
  /** What the bucket keeps of objects that were replaced. */
  readonly versions: ObjectVersions;

  /**
   * Makes no request yet. Throws `STORE_MISCONFIGURED` for options that cannot be right.
   *
   * @param report - Told of what went wrong and harms nobody: a session that was not refreshed in time, an upload that
   * could not be aborted.
   */
  constructor(
    options: S3StoreOptions,
    runtime: Runtime,
    report: (event: string, fields: Readonly<Record<string, unknown>>) => void,
  ) {
    this.#options = resolveS3Options(options);
    this.#runtime = runtime;
    this.#requests = new S3Requests(runtime, this.#options, report);
    const context = { runtime, requests: this.#requests, options: this.#options, budget: this.#budget, report };
    this.#reads = new S3Reads(runtime, this.#requests, this.#options, this.#budget);
    this.#writes = new S3Writes(runtime, context);
    this.#listing = new S3Listing(runtime, this.#requests, this.#options, this.#budget);
    this.versions = new S3Versions(runtime, this.#requests, this.#options, this.#budget, (key) => this.#name(key));
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#reads.object(this.#name(key));
  }

  async getRange(key: string, start: number, length: number): Promise<Buffer | undefined> {
    const name = this.#name(key);
    for (const value of [start, length]) {
      if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`invalid range ${start}, ${length}`);
    }
    // S3 has no empty ranges; one byte tells whether there is an object.
    const bytes = await this.#reads.range(name, start, Math.max(1, length));
    return bytes?.subarray(0, length);
  }

  async put(key: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    return this.#writes.put(this.#name(key), body, condition);
  }

  async delete(key: string): Promise<void> {
    const name = this.#name(key);
    await retried(this.#runtime, this.#budget, this.#options.readAttempts, async () => {
      try {
        await this.#requests.run(`delete ${name}`, this.#requests.timeoutMs(0), (client, { signal }) =>
          client.send(new DeleteObjectCommand({ ...bucketFields(this.#options), Key: name }), { abortSignal: signal }),
        );
      } catch (error) {
        if (!(error instanceof FailedRequest && error.code === 'NoSuchKey')) throw error;
      }
    });
  }

  async list(prefix: string, options: { after?: string; limit?: number } = {}): Promise<ListPage> {
    const { after = '', limit = defaultPageKeys } = options;
    if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`invalid limit ${limit}`);
    const root = `${this.#options.keyPrefix}/`;
    const found = await this.#listing.page(root + prefix, after === '' ? '' : root + after, limit);
    const keys = found.keys.map((name) => name.slice(root.length));
    return found.next === undefined ? { keys } : { keys, next: found.next.slice(root.length) };
  }

  /** Closes the connections. */
  close(): void {
    this.#requests.close();
  }

  #name(key: string): string {
    assertObjectKey(key);
    return `${this.#options.keyPrefix}/${key}`;
  }
}
