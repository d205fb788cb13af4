import type { RestoredFile } from '../src/storage/restored-file.js';

/** A restored file in memory. */
export class MemoryFile implements RestoredFile {
  bytes = Buffer.alloc(0);
  isClosed = false;

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    const bytes = Buffer.concat(parts);
    if (this.bytes.length < position + bytes.byteLength) await this.truncate(position + bytes.byteLength);
    this.bytes.set(bytes, position);
  }

  async truncate(sizeBytes: number): Promise<void> {
    const grown = Buffer.alloc(sizeBytes);
    this.bytes.copy(grown);
    this.bytes = grown;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }
}
