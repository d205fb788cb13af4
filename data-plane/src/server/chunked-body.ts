import type { Socket } from 'node:net';
import type { BodySink } from './response-stream.js';

/** A streamed body in the chunks of HTTP/1.1, written to a connection whose answer's head says so. */
export class ChunkedBody implements BodySink {
  readonly #socket: Socket;
  readonly #onEnd: () => void;

  /** `onEnd` is called once everything was handed over to the kernel. */
  constructor(socket: Socket, onEnd: () => void) {
    this.#socket = socket;
    this.#onEnd = onEnd;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  write(part: Buffer): boolean {
    // A chunk without bytes would end the body.
    if (part.length === 0) return true;
    this.#socket.cork();
    this.#socket.write(`${part.length.toString(16)}\r\n`, 'latin1');
    this.#socket.write(part);
    const hasRoom = this.#socket.write('\r\n', 'latin1');
    this.#socket.uncork();
    return hasRoom;
  }

  end(): void {
    this.#socket.write('0\r\n\r\n', 'latin1', () => this.#onEnd());
  }

  on(event: 'drain' | 'close', run: () => void): this {
    this.#socket.on(event, run);
    return this;
  }

  off(event: 'drain' | 'close', run: () => void): this {
    this.#socket.off(event, run);
    return this;
  }
}
