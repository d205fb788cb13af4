import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
  type CompletedPart,
} from '@aws-sdk/client-s3';
import type { Runtime } from '../../runtime.js';
import { StoreUnavailableError, type WriteCondition } from '../object-store.js';
import { addHeaders } from './added-headers.js';
import { FailedRequest } from './failed-request.js';
import { compositeSha256, partBytesMetadata, sha256 } from './object-checksum.js';
import { retried } from './retried.js';
import type { RetryBudget } from '../../aws/retry-budget.js';
import { bucketFields, encryptionFields, type S3Requests } from './s3-requests.js';
import type { ResolvedS3Options } from './s3-store-options.js';
import { conditionFields } from './write-answer.js';

export interface UploadContext {
  readonly runtime: Runtime;
  readonly requests: S3Requests;
  readonly options: ResolvedS3Options;
  readonly budget: RetryBudget;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** What a write that certainly did not take effect is tried again with at most. */
const partAttempts = 3;

/**
 * Uploads an object in parts. Parts may be sent again; nothing is visible before the completion, which carries the
 * condition and is sent once. Returns the ETag. Throws `FailedRequest` of the completion, and `StoreUnavailableError` when
 * it did not come to that. An upload that was not completed is aborted; should that fail too, it is reported, and the
 * bucket's lifecycle rule for unfinished uploads removes it.
 */
export async function uploadInParts(
  context: UploadContext,
  name: string,
  body: Uint8Array,
  condition: WriteCondition,
): Promise<string | undefined> {
  const uploadId = await createUpload(context, name);
  try {
    const parts = await uploadParts(context, name, uploadId, body);
    return await complete(context, name, uploadId, body, parts, condition);
  } catch (error) {
    await abort(context, name, uploadId);
    throw error;
  }
}

async function createUpload({ runtime, requests, options, budget }: UploadContext, name: string): Promise<string> {
  const output = await retried(runtime, budget, partAttempts, () =>
    requests.run(`begin to upload ${name}`, requests.timeoutMs(0), (client, { signal }) =>
      client.send(
        new CreateMultipartUploadCommand({
          ...bucketFields(options),
          ...encryptionFields(options),
          Key: name,
          ContentType: 'application/octet-stream',
          ChecksumAlgorithm: 'SHA256',
          ChecksumType: 'COMPOSITE',
          Metadata: { [partBytesMetadata]: String(options.partBytes) },
        }),
        { abortSignal: signal },
      ),
    ),
  );
  if (!output.UploadId) throw new StoreUnavailableError(`the store gave no upload id for ${name}`);
  return output.UploadId;
}

/** Uploads all parts, a few at a time; returns them in order. The first that fails for good ends the others. */
async function uploadParts(
  context: UploadContext,
  name: string,
  uploadId: string,
  body: Uint8Array,
): Promise<CompletedPart[]> {
  const { options } = context;
  const count = Math.ceil(body.byteLength / options.partBytes);
  const parts: CompletedPart[] = [];
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < count && !failed) {
      const index = next++;
      const bytes = body.subarray(index * options.partBytes, (index + 1) * options.partBytes);
      try {
        parts[index] = await uploadPart(context, name, uploadId, index + 1, bytes);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(options.parallelParts, count) }, worker));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return parts;
}

async function uploadPart(
  { runtime, requests, options, budget }: UploadContext,
  name: string,
  uploadId: string,
  partNumber: number,
  bytes: Uint8Array,
): Promise<CompletedPart> {
  const digest = sha256(bytes);
  const checksum = digest.toString('base64');
  const output = await retried(runtime, budget, partAttempts, () => {
    const command = new UploadPartCommand({
      ...bucketFields(options),
      Key: name,
      UploadId: uploadId,
      PartNumber: partNumber,
      Body: bytes,
      ChecksumSHA256: checksum,
    });
    addHeaders(command, { 'x-amz-content-sha256': digest.toString('hex') });
    return requests.run(
      `upload part ${partNumber} of ${name}`,
      requests.timeoutMs(bytes.byteLength),
      (client, { signal }) => client.send(command, { abortSignal: signal }),
    );
  });
  return { PartNumber: partNumber, ETag: output.ETag, ChecksumSHA256: checksum };
}

async function complete(
  { requests, options }: UploadContext,
  name: string,
  uploadId: string,
  body: Uint8Array,
  parts: CompletedPart[],
  condition: WriteCondition,
): Promise<string | undefined> {
  const output = await requests.run(
    `write ${name}`,
    // The service may take long to put the parts together.
    requests.timeoutMs(body.byteLength),
    (client, { signal }) =>
      client.send(
        new CompleteMultipartUploadCommand({
          ...bucketFields(options),
          ...conditionFields(condition),
          Key: name,
          UploadId: uploadId,
          MultipartUpload: { Parts: parts },
          ChecksumSHA256: compositeSha256(body, options.partBytes),
          ChecksumType: 'COMPOSITE',
        }),
        { abortSignal: signal },
      ),
  );
  return output.ETag;
}

async function abort({ requests, options, report }: UploadContext, name: string, uploadId: string): Promise<void> {
  try {
    await requests.run(`abort the upload of ${name}`, requests.timeoutMs(0), (client, { signal }) =>
      client.send(new AbortMultipartUploadCommand({ ...bucketFields(options), Key: name, UploadId: uploadId }), {
        abortSignal: signal,
      }),
    );
  } catch (error) {
    // An upload that was completed after all, or aborted by the other side, is no more: that is what was wanted.
    if (error instanceof FailedRequest && error.code === 'NoSuchUpload') return;
    report('an unfinished upload could not be aborted', { object: name, err: error });
  }
}
