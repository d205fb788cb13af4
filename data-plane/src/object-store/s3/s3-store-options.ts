import { ByocError } from '../../errors/catalogue.js';

const mebibyte = 2 ** 20;

/** A store in one bucket. Only `bucket` and `keyPrefix` have no default. */
export interface S3StoreOptions {
  /** A general purpose bucket, or a directory bucket (S3 Express One Zone), whose name ends in `--x-s3`. */
  readonly bucket: string;
  /**
   * What every key of this store begins with, without a slash at either end. Never empty: a store whose prefix got lost
   * would otherwise read and write among the objects of others.
   */
  readonly keyPrefix: string;
  /** @default what the SDK finds: `AWS_REGION`, the profile */
  readonly region?: string;
  /** URL of the service. @default the region's endpoint of AWS */
  readonly endpoint?: string;
  /** Whether the bucket stands in the path of URLs instead of the host name. @default true with `endpoint`, else false */
  readonly pathStyle?: boolean;
  /** @default the SDK's chain: environment, container or instance role, profile */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /**
   * SSE-KMS with this key. A directory bucket has one key for its whole life and takes it from its own configuration; it
   * is then named when a session is opened, so that a wrong one is refused. @default the bucket's own configuration
   */
  readonly encryption?: { readonly kmsKeyId: string; readonly bucketKey?: boolean };
  /** Account that must own the bucket; every request is refused when another does. @default not checked */
  readonly expectedBucketOwner?: string;
  /** Connections at once; further requests wait for one. @default 64 */
  readonly maxConnections?: number;
  /** A connection that nobody used for this long is closed, before the service does it. @default 10,000 */
  readonly idleConnectionMs?: number;
  /** A request ends when nothing of its answer arrives for this long. @default 5,000 */
  readonly answerTimeoutMs?: number;
  /** What a write's timeout is extended by: its body at this speed. @default 1 MiB */
  readonly slowestBytesPerSecond?: number;
  /** Attempts of a read, the first included. @default 3 */
  readonly readAttempts?: number;
  /** Share of reads that may be sent a second time when their answer is late; 0 = none. @default 0.05 */
  readonly hedgedShare?: number;
  /** Least wait before a read is sent a second time. @default 10 */
  readonly hedgeMinDelayMs?: number;
  /** Larger objects are uploaded in parts. @default 16 MiB */
  readonly multipartThresholdBytes?: number;
  /** Size of a part, at least 5 MiB. @default 8 MiB */
  readonly partBytes?: number;
  /** Parts of one object uploaded at once. @default 4 */
  readonly parallelParts?: number;
}

type Defaulted =
  | 'maxConnections'
  | 'idleConnectionMs'
  | 'answerTimeoutMs'
  | 'slowestBytesPerSecond'
  | 'readAttempts'
  | 'hedgedShare'
  | 'hedgeMinDelayMs'
  | 'multipartThresholdBytes'
  | 'partBytes'
  | 'parallelParts';

export type ResolvedS3Options = S3StoreOptions & Required<Pick<S3StoreOptions, Defaulted>>;

const defaults: Required<Pick<S3StoreOptions, Defaulted>> = {
  maxConnections: 64,
  idleConnectionMs: 10_000,
  answerTimeoutMs: 5_000,
  slowestBytesPerSecond: mebibyte,
  readAttempts: 3,
  hedgedShare: 0.05,
  hedgeMinDelayMs: 10,
  multipartThresholdBytes: 16 * mebibyte,
  partBytes: 8 * mebibyte,
  parallelParts: 4,
};

/** The longest prefix; with the `/` after it and the longest object key it stays within the 1,024 bytes of S3. */
export const maxKeyPrefixBytes = 123;

const bucketPattern = /^[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]$/;
const prefixPattern = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/;

/** Options with their defaults. Throws `STORE_MISCONFIGURED` when one of them cannot be right. */
export function resolveS3Options(options: S3StoreOptions): ResolvedS3Options {
  const refuse = (sentence: string): never => {
    throw new ByocError('STORE_MISCONFIGURED', sentence);
  };
  const resolved: ResolvedS3Options = { ...defaults, ...options };
  if (!bucketPattern.test(options.bucket)) refuse(`${JSON.stringify(options.bucket)} is not the name of a bucket`);
  if (!prefixPattern.test(options.keyPrefix) || options.keyPrefix.length > maxKeyPrefixBytes) {
    refuse(
      `the key prefix ${JSON.stringify(options.keyPrefix)} is not 1 to ${maxKeyPrefixBytes} characters of ` +
        'A-Z a-z 0-9 . _ = - in segments between single slashes',
    );
  }
  if (options.expectedBucketOwner !== undefined && !/^\d{12}$/.test(options.expectedBucketOwner)) {
    refuse(`the expected bucket owner ${JSON.stringify(options.expectedBucketOwner)} is not an account of 12 digits`);
  }
  if (resolved.partBytes < 5 * mebibyte) refuse('the parts of an upload must have at least 5 MiB');
  if (resolved.hedgedShare < 0 || resolved.hedgedShare > 1) refuse('the share of hedged reads must be from 0 to 1');
  return resolved;
}

/** Whether a bucket is a directory bucket (S3 Express One Zone), by its name: `<base>--<zone id>--x-s3`. */
export function isDirectoryBucket(bucket: string): boolean {
  return /--[a-z0-9-]+--x-s3$/.test(bucket);
}
