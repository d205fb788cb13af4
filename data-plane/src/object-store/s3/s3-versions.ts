/**
 * Versions of objects in a general purpose bucket. A bucket that never had versioning answers with the present version only;
 * one whose versioning is suspended still shows those from before. Delete markers hold nothing. Directory buckets have no
 * versions.
 */
import { DeleteObjectCommand, ListObjectVersionsCommand } from '@aws-sdk/client-s3';
import type { RetryBudget } from '../../aws/retry-budget.js';
import type { Runtime } from '../../runtime.js';
import type { ObjectVersions } from '../object-versions.js';
import { FailedRequest } from './failed-request.js';
import { retried } from './retried.js';
import { bucketFields, type S3Requests } from './s3-requests.js';
import { isDirectoryBucket, type ResolvedS3Options } from './s3-store-options.js';

/** Gone, or never there: both are what was asked for. */
const goneCodes = new Set(['NoSuchVersion', 'NoSuchKey']);

export class S3Versions implements ObjectVersions {
  constructor(
    private readonly runtime: Runtime,
    private readonly requests: S3Requests,
    private readonly options: ResolvedS3Options,
    private readonly budget: RetryBudget,
    /** The object's name in the bucket. */
    private readonly nameOf: (key: string) => string,
  ) {}

  async older(key: string): Promise<string[]> {
    if (isDirectoryBucket(this.options.bucket)) return [];
    const name = this.nameOf(key);
    const found: string[] = [];
    let marker: { KeyMarker: string; VersionIdMarker?: string } | undefined;
    do {
      const fields = { ...bucketFields(this.options), Prefix: name, ...marker };
      const answer = await retried(this.runtime, this.budget, this.options.readAttempts, () =>
        this.requests.run(`list versions of ${name}`, this.requests.timeoutMs(0), (client, { signal }) =>
          client.send(new ListObjectVersionsCommand(fields), { abortSignal: signal }),
        ),
      );
      for (const { Key, VersionId, IsLatest } of answer.Versions ?? []) {
        if (Key === name && IsLatest !== true && VersionId !== undefined) found.push(VersionId);
      }
      const { NextKeyMarker, NextVersionIdMarker } = answer;
      const goesOn = answer.IsTruncated === true && NextKeyMarker === name;
      marker = goesOn
        ? {
            KeyMarker: NextKeyMarker,
            ...(NextVersionIdMarker !== undefined && { VersionIdMarker: NextVersionIdMarker }),
          }
        : undefined;
    } while (marker);
    return found;
  }

  async remove(key: string, version: string): Promise<void> {
    const fields = { ...bucketFields(this.options), Key: this.nameOf(key), VersionId: version };
    await retried(this.runtime, this.budget, this.options.readAttempts, async () => {
      try {
        await this.requests.run(
          `delete version ${version} of ${fields.Key}`,
          this.requests.timeoutMs(0),
          (client, { signal }) => client.send(new DeleteObjectCommand(fields), { abortSignal: signal }),
        );
      } catch (error) {
        if (!(error instanceof FailedRequest && error.code !== undefined && goneCodes.has(error.code))) throw error;
      }
    });
  }
}
