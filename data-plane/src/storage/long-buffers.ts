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
  for (const part of parts) end = yield* copying(part, joined, end);
  return joined;
}

/** Copies `source` into `target` at `offset`, and gives the offset behind it. */
export function* copying(source: Uint8Array, target: Uint8Array, offset: number): Work<number> {
  for (let at = 0; at < source.byteLength; at += stepBytes) {
    const piece = source.subarray(at, at + stepBytes);
    target.set(piece, offset + at);
    yield piece.byteLength;
  }
  return offset + source.byteLength;
}
