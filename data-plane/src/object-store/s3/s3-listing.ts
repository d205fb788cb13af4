/**
 * Keys in ascending byte order, from two kinds of buckets.
 *
 * A general purpose bucket lists in that order and can begin anywhere. A directory bucket lists in an order of its own,
 * cannot begin in the middle, and takes only prefixes that end in `/`: there everything below the last `/` of the prefix
 * is read for every page, and the smallest keys that are asked for are kept. That is right for the few hundred keys of
 * node records or a probe, and slow for more.
 */
import { ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import type { Runtime } from '../../runtime.js';
import type { ListPage } from '../object-store.js';
import { retried } from './retried.js';
import type { RetryBudget } from '../../aws/retry-budget.js';
import { bucketFields, type S3Requests } from './s3-requests.js';
import { isDirectoryBucket, type ResolvedS3Options } from './s3-store-options.js';

const maxPageKeys = 1_000;

interface PageRequest {
  readonly Prefix: string;
  readonly StartAfter?: string;
  readonly ContinuationToken?: string;
  readonly MaxKeys: number;
}

export class S3Listing {
  constructor(
    private readonly runtime: Runtime,
    private readonly requests: S3Requests,
    private readonly options: ResolvedS3Options,
    private readonly budget: RetryBudget,
  ) {}

  /** Full names that start with `prefix` and come after `after`. Throws `StoreUnavailableError`. */
  async page(prefix: string, after: string, limit: number): Promise<ListPage> {
    return isDirectoryBucket(this.options.bucket)
      ? this.#smallestOf(prefix, after, limit)
      : this.#ordered(prefix, after, limit);
  }

  async #ordered(prefix: string, after: string, limit: number): Promise<ListPage> {
    const keys: string[] = [];
    let answer: ListObjectsV2CommandOutput | undefined;
    do {
      answer = await this.#request({
        Prefix: prefix,
        MaxKeys: Math.min(limit - keys.length, maxPageKeys),
        ...(answer?.NextContinuationToken !== undefined
          ? { ContinuationToken: answer.NextContinuationToken }
          : after !== '' && { StartAfter: after }),
      });
      keys.push(...keysOf(answer));
    } while (answer.IsTruncated === true && keys.length < limit);
    return page(keys, answer.IsTruncated === true);
  }

  async #smallestOf(prefix: string, after: string, limit: number): Promise<ListPage> {
    const keys: string[] = [];
    let more = false;
    const keepSmallest = (): void => {
      keys.sort(byBytes);
      more ||= keys.length > limit;
      keys.length = Math.min(keys.length, limit);
    };
    let answer: ListObjectsV2CommandOutput | undefined;
    do {
      answer = await this.#request({
        Prefix: prefix.slice(0, prefix.lastIndexOf('/') + 1),
        MaxKeys: maxPageKeys,
        ...(answer?.NextContinuationToken !== undefined && { ContinuationToken: answer.NextContinuationToken }),
      });
      keys.push(...keysOf(answer).filter((key) => key.startsWith(prefix) && key > after));
      if (keys.length > 2 * limit) keepSmallest();
    } while (answer.IsTruncated === true);
    keepSmallest();
    return page(keys, more);
  }

  async #request(fields: PageRequest): Promise<ListObjectsV2CommandOutput> {
    return retried(this.runtime, this.budget, this.options.readAttempts, () =>
      this.requests.run(`list ${fields.Prefix}`, this.requests.timeoutMs(0), (client, { signal }) =>
        client.send(new ListObjectsV2Command({ ...bucketFields(this.options), ...fields }), { abortSignal: signal }),
      ),
    );
  }
}

function keysOf(answer: ListObjectsV2CommandOutput): string[] {
  return (answer.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
}

function page(keys: string[], more: boolean): ListPage {
  const last = keys.at(-1);
  return more && last !== undefined ? { keys, next: last } : { keys };
}

/** Keys are ASCII, so that the order of code units is that of bytes. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : 1;
}
