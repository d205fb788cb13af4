import type { Socket } from 'node:net';
import type { Runtime } from '../../runtime.js';
import { encodeMessage, type FromEngine } from '../ipc/messages.js';

/** Sends messages to the I/O process in order; what one turn of the event loop produces leaves in one write. */
export class Outbox {
  readonly #socket: Pick<Socket, 'write'>;
  readonly #runtime: Runtime;
  #frames: Buffer[] = [];
  #flushScheduled = false;

  constructor(socket: Pick<Socket, 'write'>, runtime: Runtime) {
    this.#socket = socket;
    this.#runtime = runtime;
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
