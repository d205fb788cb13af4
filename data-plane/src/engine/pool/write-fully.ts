import type { FileHandle } from 'node:fs/promises';

/**
 * Writes all of `bytes` at `position`. One write may stop short without an error, as on a disk that is just getting full;
 * the next one then says why.
 */
export async function writeFully(file: Pick<FileHandle, 'write'>, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.byteLength) {
    written += (await file.write(bytes, written, bytes.byteLength - written, position + written)).bytesWritten;
  }
}
