import { CreateSessionCommand, S3Client } from '@aws-sdk/client-s3';
import type { Runtime } from '../../runtime.js';
import { ExpressSessions, type ExpressSession } from './express-sessions.js';
import { FailedRequest, staleSessionCodes } from './failed-request.js';
import { isDirectoryBucket, type ResolvedS3Options } from './s3-store-options.js';
import { WatchedHandler } from './watched-handler.js';

/** One request under way: its timer, and the signal that ends it. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** Something of the answer came: the timeout begins anew. */
  progress(): void;
  /** Gives the request up. */
  abort(): void;
}

/** Sends requests to one bucket, each exactly once: whether and how to try again is for the caller to decide. */
export class S3Requests {
  readonly #client: S3Client;
  readonly #handler: WatchedHandler;
  readonly #sessions: ExpressSessions;

  constructor(
    private readonly runtime: Runtime,
    private readonly options: ResolvedS3Options,
    report: (event: string, fields: Readonly<Record<string, unknown>>) => void,
  ) {
    this.#handler = new WatchedHandler(options);
    this.#sessions = new ExpressSessions(
      runtime,
      async () => this.#createSession(),
      (error) => report('the session of a directory bucket could not be refreshed', { err: error }),
    );
    const { region, endpoint, credentials } = options;
    this.#client = new S3Client({
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials && { credentials }),
      forcePathStyle: options.pathStyle ?? endpoint !== undefined,
      requestHandler: this.#handler,
      s3ExpressIdentityProvider: this.#sessions,
      // A conditional write that is sent twice can be refused because of itself.
      maxAttempts: 1,
      // Waiting for "100 Continue" would take a new connection and a round trip for every larger object.
      expectContinueHeader: false,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** How long a request with a body of this size may go without an answer. */
  timeoutMs(bodyBytes: number): number {
    return this.options.answerTimeoutMs + (bodyBytes * 1_000) / this.options.slowestBytesPerSecond;
  }

  /**
   * Runs one request, from sending it to the last byte of its answer. Throws `FailedRequest`.
   *
   * @param what - What is being done, for the message.
   */
  async run<T>(
    what: string,
    timeoutMs: number,
    request: (client: S3Client, attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const attempt = new TimedAttempt(this.runtime, timeoutMs);
    try {
      return await request(this.#client, attempt);
    } catch (error) {
      const failed = new FailedRequest(what, attempt.timedOut ?? error, this.#handler.mayHaveBeenSent(attempt.signal));
      if (failed.code !== undefined && staleSessionCodes.has(failed.code)) this.#sessions.forget();
      throw failed;
    } finally {
      attempt.end();
    }
  }

  close(): void {
    this.#client.destroy();
  }

  async #createSession(): Promise<ExpressSession> {
    const { bucket, encryption } = this.options;
    const output = await this.run('CreateSession', this.timeoutMs(0), (client, { signal }) =>
      client.send(
        new CreateSessionCommand({
          Bucket: bucket,
          SessionMode: 'ReadWrite',
          ...(encryption && {
            ServerSideEncryption: 'aws:kms',
            SSEKMSKeyId: encryption.kmsKeyId,
            BucketKeyEnabled: true,
          }),
        }),
        { abortSignal: signal },
      ),
    );
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = output.Credentials ?? {};
    if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration) {
      throw new Error(`CreateSession of ${bucket} gave no complete credentials`);
    }
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration,
    };
  }
}

/** What every request names. */
export function bucketFields({ bucket, expectedBucketOwner }: ResolvedS3Options): {
  Bucket: string;
  ExpectedBucketOwner?: string;
} {
  return { Bucket: bucket, ...(expectedBucketOwner !== undefined && { ExpectedBucketOwner: expectedBucketOwner }) };
}

/** How a new object is encrypted. A directory bucket takes it from the session and refuses it with the object. */
export function encryptionFields({ bucket, encryption }: ResolvedS3Options): {
  ServerSideEncryption?: 'aws:kms';
  SSEKMSKeyId?: string;
  BucketKeyEnabled?: boolean;
} {
  if (!encryption || isDirectoryBucket(bucket)) return {};
  const { kmsKeyId, bucketKey = true } = encryption;
  return { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyId, BucketKeyEnabled: bucketKey };
}

class TimedAttempt implements Attempt {
  readonly #controller = new AbortController();
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  #lastProgressMs: number;
  #cancel: (() => void) | undefined;
  timedOut: Error | undefined;

  constructor(runtime: Runtime, timeoutMs: number) {
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
    this.#lastProgressMs = runtime.monotonicMs();
    this.#watch(timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  progress(): void {
    this.#lastProgressMs = this.#runtime.monotonicMs();
  }

  abort(): void {
    this.#controller.abort();
  }

  end(): void {
    this.#cancel?.();
  }

  /** One timer for the whole answer, set again only when it fires: a chunk costs no more than reading the clock. */
  #watch(ms: number): void {
    this.#cancel = this.#runtime.schedule(ms, () => {
      const leftMs = this.#lastProgressMs + this.#timeoutMs - this.#runtime.monotonicMs();
      if (leftMs > 0) {
        this.#watch(leftMs);
        return;
      }
      this.timedOut = new Error(`nothing came for ${Math.round(this.#timeoutMs)} ms`);
      this.#controller.abort();
    });
  }
}
