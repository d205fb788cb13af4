import type { Runtime } from '../../runtime.js';
import {
  encodeMessage,
  textResponseBytes,
  writeTextResponse,
  type FromEngine,
  type TextResponse,
} from '../ipc/messages.js';

/** What the outbox needs of a socket. */
export interface OutgoingSocket {
  readonly writableNeedDrain: boolean;
  write(bytes: Uint8Array): boolean;
  once(event: 'drain', run: () => void): unknown;
}

/** Sends messages to the I/O process in order; what one turn of the event loop produces leaves in one write. */
export class Outbox {
  readonly #socket: OutgoingSocket;
  readonly #runtime: Runtime;
  /** Encoded messages, and responses that are encoded when they leave, straight into what is sent. */
  #frames: (Buffer | TextResponse)[] = [];
  #cancelFlush: (() => void) | undefined;

  constructor(socket: OutgoingSocket, runtime: Runtime) {
    this.#socket = socket;
    this.#runtime = runtime;
  }

  /** True while the kernel has not taken everything yet: the rest leaves between turns of the event loop only. */
  get isBlocked(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Calls `run` once, when the kernel has taken everything. To be called while it has not. */
  onceSent(run: () => void): void {
    this.#socket.once('drain', run);
  }

  send(message: FromEngine): void {
    this.#add(encodeMessage(message));
  }

  /** Sends a `response` message. */
  respond(response: TextResponse): void {
    this.#add(response);
  }

  /** Sends what is waiting now rather than in the next turn. */
  flush(): void {
    const frames = this.#frames;
    const [only] = frames;
    if (!only) return;
    this.#frames = [];
    // Or the event loop would go round once more for nothing.
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    this.#socket.write(frames.length === 1 && Buffer.isBuffer(only) ? only : joined(frames));
  }

  #add(frame: Buffer | TextResponse): void {
    this.#frames.push(frame);
    this.#cancelFlush ??= this.#runtime.schedule(0, () => {
      this.#cancelFlush = undefined;
      this.flush();
    });
  }
}

function joined(frames: readonly (Buffer | TextResponse)[]): Buffer {
  const lengths = frames.map((frame) => (Buffer.isBuffer(frame) ? frame.length : textResponseBytes(frame.text)));
  const bytes = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  frames.forEach((frame, index) => {
    const length = lengths[index] ?? 0;
    if (Buffer.isBuffer(frame)) frame.copy(bytes, at);
    else writeTextResponse(bytes, at, length, frame);
    at += length;
  });
  return bytes;
}
