import type { Runtime } from '../../runtime.js';
import { encodeMessage, type FromEngine } from '../ipc/messages.js';

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
  #frames: Buffer[] = [];
  #flushScheduled = false;

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
    this.#frames.push(encodeMessage(message));
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    this.#runtime.schedule(0, () => {
      this.#flushScheduled = false;
      this.flush();
    });
  }

  /** Sends what is waiting now rather than in the next turn. */
  flush(): void {
    const frames = this.#frames;
    const [only] = frames;
    if (!only) return;
    this.#frames = [];
    this.#socket.write(frames.length === 1 ? only : Buffer.concat(frames));
  }
}
