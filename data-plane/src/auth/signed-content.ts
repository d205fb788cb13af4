/**
 * Content behind a signature of its digest: a compact JWS whose payload is the SHA-256 of the content, a line feed, the
 * content. KMS signs 4,096 bytes at the most, and what is published may be longer.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

const lineFeed = 0x0a;

export interface SignedContent {
  /** Compact JWS, not verified. */
  readonly signature: string;
  readonly content: Buffer;
}

/** What is signed of the content: 32 bytes. */
export function digestToSign(content: Uint8Array): Buffer {
  return createHash('sha256').update(content).digest();
}

export function joinSigned({ signature, content }: SignedContent): Buffer {
  return Buffer.concat([Buffer.from(signature), Buffer.of(lineFeed), content]);
}

/** The two parts, or undefined when there are none. */
export function splitSigned(body: Buffer): SignedContent | undefined {
  const end = body.indexOf(lineFeed);
  if (end < 0) return undefined;
  return { signature: body.toString('latin1', 0, end), content: body.subarray(end + 1) };
}

/** Whether the payload of a verified signature is that of this content. */
export function isDigestOf(payload: Uint8Array, content: Uint8Array): boolean {
  const digest = digestToSign(content);
  return payload.length === digest.length && timingSafeEqual(payload, digest);
}
