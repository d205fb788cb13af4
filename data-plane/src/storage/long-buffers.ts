/** What takes a while with many megabytes, in steps. */
import { createHash } from 'node:crypto';
import { stepBytes, type Work } from '../turns.js';

/** SHA-256. */
export function* hashing(bytes: Uint8Array): Work<Buffer> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.byteLength; at += stepBytes) {
    hash.update(bytes.subarray(at, at + stepBytes));
    yield Math.min(stepBytes, bytes.byteLength - at);
  }
  return hash.digest();
}

/** One buffer that holds all of `parts`. */
export function* joining(parts: readonly Uint8Array[]): Work<Buffer> {
  const joined = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let end = 0;
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += stepBytes) {
      const piece = part.subarray(at, at + stepBytes);
      joined.set(piece, end);
      end += piece.byteLength;
      yield piece.byteLength;
    }
  }
  return joined;
}
