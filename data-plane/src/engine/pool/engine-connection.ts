import type { Socket } from 'node:net';
import { FrameReader } from '../ipc/frame-reader.js';
import { decodeMessage, encodeMessage, type FromEngine, type ToEngine } from '../ipc/messages.js';

const fromEngineTypes: ReadonlySet<string> = new Set<FromEngine['type']>([
  'opened',
  'closed',
  'commit',
  'response',
  'checkpointed',
  'poisoned',
  'streams',
  'usage',
]);

/** Frames that are shorter together are joined before they are written: the kernel takes one piece faster than many. */
const joinedBytes = 256 * 1024;

/** Messages over the socket of one engine process. What is sent within one turn of the event loop leaves as one write. */
export class EngineConnection {
  readonly #socket: Socket;
  #frames: Buffer[] = [];

  /**
   * `onMessage` gets every message in order; byte fields are views into the receive buffer and stay valid.
   * `onViolation` is called once when the other side sends what is no message; nothing is delivered after it.
   */
  constructor(socket: Socket, onMessage: (message: FromEngine) => void, onViolation: (error: Error) => void) {
    this.#socket = socket;
    const reader = new FrameReader();
    let violated = false;
    socket.on('data', (chunk: Buffer) => {
      if (violated) return;
      // Only decoding may fail here; an error of the receiver is a bug of ours and must surface as one.
      const messages: FromEngine[] = [];
      let violation: Error | undefined;
      try {
        reader.push(chunk, (frame) => messages.push(fromEngine(frame)));
      } catch (error) {
        violated = true;
        violation = error instanceof Error ? error : new Error(String(error));
      }
      for (const message of messages) onMessage(message);
      if (violation) onViolation(violation);
    });
  }

  send(message: ToEngine): void {
    if (!this.#socket.writable) return;
    if (this.#frames.length === 0) setImmediate(this.#flush);
    this.#frames.push(encodeMessage(message));
  }

  /** Tells the engine process to end: it exits when its socket ends. */
  end(): void {
    this.#flush();
    this.#socket.end();
  }

  readonly #flush = (): void => {
    const frames = this.#frames;
    this.#frames = [];
    if (frames.length === 0 || !this.#socket.writable) return;
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    if (bytes <= joinedBytes) {
      this.#socket.write(frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames, bytes));
      return;
    }
    // Copying would cost more than a few more pieces.
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  };
}

function fromEngine(frame: Buffer): FromEngine {
  const message = decodeMessage(frame);
  if (!fromEngineTypes.has(message.type)) throw new Error(`an engine process sent "${message.type}"`);
  return message as FromEngine;
}
