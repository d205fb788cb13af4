import type { FileHandle } from 'node:fs/promises';

/**
 * Writes all of the parts, one after the other, from `position` on. One write may stop short without an error, as on a disk
 * that is just getting full; the next one then says why.
 */
export async function writeFully(
  file: Pick<FileHandle, 'writev'>,
  parts: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let left = parts.filter(({ byteLength }) => byteLength > 0);
  for (let at = position; left.length > 0;) {
    const { bytesWritten } = await file.writev(left, at);
    at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

/** What is left of the parts after their first `bytes` bytes. */
function without(parts: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return parts.flatMap((part) => {
    const skipped = Math.min(skip, part.byteLength);
    skip -= skipped;
    return skipped === part.byteLength ? [] : [part.subarray(skipped)];
  });
}
