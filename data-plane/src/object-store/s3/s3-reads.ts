import { types } from 'node:util';
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { ByocError } from '../../errors/catalogue.js';
import type { Runtime } from '../../runtime.js';
import type { ETag, StoredObject } from '../object-store.js';
import { FailedRequest } from './failed-request.js';
import { addHeaders } from './added-headers.js';
import { HedgedReads } from './hedged-read.js';
import { matchesChecksum } from './object-checksum.js';
import { retried } from './retried.js';
import type { RetryBudget } from '../../aws/retry-budget.js';
import { bucketFields, type Attempt, type S3Requests } from './s3-requests.js';
import type { ResolvedS3Options } from './s3-store-options.js';

/** The bytes that came do not carry the checksum that came with them. */
class DamagedAnswer extends Error {
  override readonly name = 'DamagedAnswer';
}

/** Reads of one bucket: tried again, hedged, and checked against the checksum that the store keeps. */
export class S3Reads {
  readonly #hedged: HedgedReads;

  constructor(
    private readonly runtime: Runtime,
    private readonly requests: S3Requests,
    private readonly options: ResolvedS3Options,
    private readonly budget: RetryBudget,
  ) {
    this.#hedged = new HedgedReads(runtime, {
      share: options.hedgedShare,
      minDelayMs: options.hedgeMinDelayMs,
      maxDelayMs: options.answerTimeoutMs / 2,
    });
  }

  /**
   * The object under a full name, or undefined when there is none. Throws `StoreUnavailableError`, and
   * `STORE_OBJECT_CORRUPT` when the store keeps giving bytes that its own checksum contradicts.
   */
  async object(name: string): Promise<StoredObject | undefined> {
    const read = (): Promise<StoredObject | undefined> =>
      this.#get(name, undefined, (output, body) => {
        if (output.ETag === undefined) throw new Error('the answer has no ETag');
        if (matchesChecksum(body, output) === false) throw new DamagedAnswer('the checksum of the answer is wrong');
        return { body, etag: output.ETag as ETag };
      });
    try {
      return await this.#retried(read);
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new ByocError('STORE_OBJECT_CORRUPT', `object ${name} does not match the checksum that the store keeps`, {
        cause: error,
      });
    }
  }

  /** Bytes `[start, start + length)` of the object under a full name; `length` is positive. Throws `StoreUnavailableError`. */
  async range(name: string, start: number, length: number): Promise<Buffer | undefined> {
    return this.#retried(async () => {
      try {
        return await this.#get(name, `bytes=${start}-${start + length - 1}`, (output, body) => {
          // A service may ignore the range and send everything.
          if (output.ContentRange === undefined) return body.subarray(start, start + length);
          if (!output.ContentRange.startsWith(`bytes ${start}-`) || body.length > length) {
            throw new Error(`the answer is another range: ${output.ContentRange}`);
          }
          return body;
        });
      } catch (error) {
        if (error instanceof FailedRequest && error.status === 416) return Buffer.alloc(0);
        throw error;
      }
    });
  }

  async #retried<T>(operation: () => Promise<T>): Promise<T> {
    return retried(this.runtime, this.budget, this.options.readAttempts, operation);
  }

  async #get<T>(
    name: string,
    range: string | undefined,
    use: (output: GetObjectCommandOutput, body: Buffer) => T,
  ): Promise<T | undefined> {
    const command = (): GetObjectCommand => {
      const get = new GetObjectCommand({
        ...bucketFields(this.options),
        Key: name,
        ...(range !== undefined && { Range: range }),
      });
      // Asked for by header: told by its own field, the SDK would check a second time, and nothing of objects in parts.
      if (range === undefined) addHeaders(get, { 'x-amz-checksum-mode': 'ENABLED' });
      return get;
    };
    return this.#hedged.run((answered) => {
      let abort = (): void => undefined;
      const request = this.requests.run(`read ${name}`, this.requests.timeoutMs(0), async (client, attempt) => {
        abort = () => attempt.abort();
        const output = await client.send(command(), { abortSignal: attempt.signal });
        answered();
        return use(output, await collect(output, attempt));
      });
      const result = request.catch((error: unknown) => {
        // Only this code means that the object is absent; a bucket that is gone, or a proxy's 404, does not.
        if (error instanceof FailedRequest && error.code === 'NoSuchKey') return undefined;
        throw error;
      });
      return { result, abort: () => abort() };
    });
  }
}

function isDamage(error: unknown): boolean {
  for (let at = error; types.isNativeError(at); at = at.cause) if (at instanceof DamagedAnswer) return true;
  return false;
}

/** The whole body of an answer. Throws when it ends before the length that was announced. */
async function collect(output: GetObjectCommandOutput, attempt: Attempt): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (output.Body) {
    for await (const chunk of output.Body as AsyncIterable<Buffer>) {
      attempt.progress();
      chunks.push(chunk);
      bytes += chunk.length;
    }
  }
  if (output.ContentLength !== undefined && bytes !== output.ContentLength) {
    throw new Error(`the answer has ${bytes} bytes of ${output.ContentLength}`);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
}
