import { jitteredDelayMs } from '../../aws/jittered-delay.js';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { Runtime } from '../../runtime.js';
import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ETag,
  type WriteCondition,
  type WriteResult,
} from '../object-store.js';
import { addHeaders } from './added-headers.js';
import { FailedRequest } from './failed-request.js';
import { uploadInParts, type UploadContext } from './multipart-upload.js';
import { sha256 } from './object-checksum.js';
import { bucketFields, encryptionFields } from './s3-requests.js';
import { conditionFields, judgeFailedWrite } from './write-answer.js';

/** How often a write is sent that S3 answers with "conflict, try again". */
const maxConflicts = 8;

/**
 * Conditional writes to one bucket. Each is sent once: a write that is sent again after a lost answer can be refused
 * because of itself. Only after 409, which is a promise that nothing happened, is it sent again here.
 */
export class S3Writes {
  readonly #runtime: Runtime;

  constructor(
    runtime: Runtime,
    private readonly context: UploadContext,
  ) {
    this.#runtime = runtime;
  }

  /** Throws `OutcomeUnknownError` and `StoreUnavailableError`. */
  async put(name: string, body: Uint8Array, condition: WriteCondition): Promise<WriteResult> {
    const { multipartThresholdBytes } = this.context.options;
    for (let conflicts = 1; ; conflicts++) {
      try {
        const etag =
          body.byteLength > multipartThresholdBytes
            ? await uploadInParts(this.context, name, body, condition)
            : await this.#putWhole(name, body, condition);
        // It is stored; reading tells under which ETag.
        if (etag === undefined) throw new OutcomeUnknownError(`the answer to write ${name} has no ETag`);
        return { won: true, etag: etag as ETag };
      } catch (error) {
        if (!(error instanceof FailedRequest)) throw error;
        if (judgeFailedWrite(error, condition) === 'lost') return { won: false };
        if (conflicts >= maxConflicts) throw new StoreUnavailableError(error.message, { cause: error });
      }
      await this.#runtime.sleep(jitteredDelayMs(this.#runtime, conflicts));
    }
  }

  async #putWhole(name: string, body: Uint8Array, condition: WriteCondition): Promise<string | undefined> {
    const { options, requests } = this.context;
    const digest = sha256(body);
    const command = new PutObjectCommand({
      ...bucketFields(options),
      ...encryptionFields(options),
      ...conditionFields(condition),
      Key: name,
      Body: body,
      ContentType: 'application/octet-stream',
      // Named beside the digest: a bucket under object lock asks for either name, servers differ in which.
      ChecksumAlgorithm: 'SHA256',
      ChecksumSHA256: digest.toString('base64'),
    });
    // The signature covers the same digest; given here, it is not computed a second time.
    addHeaders(command, { 'x-amz-content-sha256': digest.toString('hex') });
    const output = await requests.run(
      `write ${name}`,
      requests.timeoutMs(body.byteLength),
      async (client, { signal }) => client.send(command, { abortSignal: signal }),
    );
    return output.ETag;
  }
}
