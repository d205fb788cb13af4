/**
 * HKDF-SHA-256 (RFC 5869) whose secret can be overwritten. `hkdfSync` of Node.js makes a key object of the secret: a copy
 * that stays in memory until a garbage collection comes to it, after the caller has wiped its own. What an HMAC has taken in
 * is cleared when its digest is taken.
 */
import { createHmac } from 'node:crypto';

const digestBytes = 32;

/** `length` bytes, at most 32, which the caller wipes. */
export function deriveKey(
  secret: Uint8Array,
  salt: string | Uint8Array,
  info: string | Uint8Array,
  length: number,
): Buffer {
  if (length > digestBytes) throw new RangeError(`a derived key of ${length} bytes`);
  const extracted = createHmac('sha256', salt).update(secret).digest();
  try {
    return createHmac('sha256', extracted).update(info).update(Buffer.of(1)).digest().subarray(0, length);
  } finally {
    extracted.fill(0);
  }
}
