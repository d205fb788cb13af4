import type { RestoredFile } from '@turso-byoc/data-plane/storage/restored-file.js';

/** A file in memory: what a restore fills and the model engine opens. */
export class MemoryFile implements RestoredFile {
  #content = Buffer.alloc(0);
  #isClosed = false;

  get content(): Buffer {
    return this.#content;
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    this.#assertOpen();
    const bytes = Buffer.concat(parts);
    const end = position + bytes.byteLength;
    if (end > this.#content.length) this.#resize(end);
    this.#content.set(bytes, position);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#assertOpen();
    this.#resize(sizeBytes);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #resize(sizeBytes: number): void {
    const resized = Buffer.alloc(sizeBytes);
    this.#content.copy(resized);
    this.#content = resized;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Error('the file is closed');
  }
}
