import { createHash } from 'node:crypto';

/** SHA-256 of an object's or a part's bytes. */
export function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

/** What S3 keeps as the checksum of an object that was uploaded in parts of `partBytes`: `<base64>-<number of parts>`. */
export function compositeSha256(bytes: Uint8Array, partBytes: number): string {
  const whole = createHash('sha256');
  let parts = 0;
  for (let start = 0; start < bytes.byteLength; start += partBytes) {
    whole.update(sha256(bytes.subarray(start, start + partBytes)));
    parts += 1;
  }
  return `${whole.digest('base64')}-${parts}`;
}

/** Metadata of an object uploaded in parts: the size of each, without which its checksum could not be computed again. */
export const partBytesMetadata = 'part-bytes';

/**
 * Whether bytes that were read are those that the store took its checksum of. Undefined when it cannot be told: the
 * store returned no SHA-256 checksum.
 */
export function matchesChecksum(
  bytes: Uint8Array,
  answer: { readonly ChecksumSHA256?: string | undefined; readonly Metadata?: Record<string, string> | undefined },
): boolean | undefined {
  const expected = answer.ChecksumSHA256;
  if (expected === undefined) return undefined;
  if (!expected.includes('-')) return sha256(bytes).toString('base64') === expected;
  const partBytes = Number(answer.Metadata?.[partBytesMetadata]);
  if (!Number.isSafeInteger(partBytes) || partBytes < 1) return undefined;
  return compositeSha256(bytes, partBytes) === expected;
}
