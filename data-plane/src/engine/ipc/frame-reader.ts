import { maxFrameBytes } from './messages.js';

const empty = Buffer.alloc(0);

/**
 * Cuts a byte stream into frames. A frame that lies within one chunk is a view into it; one that spans chunks is
 * assembled once, so a long frame costs one copy however many chunks bring it.
 */
export class FrameReader {
  #pending: Buffer = empty;
  #assembling: Buffer | undefined;
  #filled = 0;

  /** Calls `onFrame` with each frame that `chunk` completes (without its length). Throws on an impossible length. */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let input = chunk;
    if (this.#assembling) {
      const taken = input.copy(this.#assembling, this.#filled);
      this.#filled += taken;
      input = input.subarray(taken);
      if (this.#filled < this.#assembling.length) return;
      const done = this.#assembling;
      this.#assembling = undefined;
      onFrame(done);
    }
    if (this.#pending.length > 0) {
      input = Buffer.concat([this.#pending, input]);
      this.#pending = empty;
    }
    let offset = 0;
    while (input.length - offset >= 4) {
      const length = input.readUInt32LE(offset);
      if (length === 0 || length > maxFrameBytes) throw new Error(`engine frame of ${length} bytes`);
      if (input.length - offset - 4 < length) {
        this.#assembling = Buffer.allocUnsafe(length);
        this.#filled = input.copy(this.#assembling, 0, offset + 4);
        return;
      }
      onFrame(input.subarray(offset + 4, offset + 4 + length));
      offset += 4 + length;
    }
    this.#pending = input.subarray(offset);
  }
}
