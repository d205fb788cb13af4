import { connect, type Socket } from 'node:net';
import { ResponseParser } from './response-parser.js';

/** One kept connection with one request on its way at a time. */
export class ClosedLoop {
  #sentAtMs = 0;
  #socket: Socket | undefined;
  #parser: ResponseParser | undefined;
  #settle: ((error?: Error) => void) | undefined;

  /**
   * `next` gives the next request, or undefined to stop. `onAnswer` gets the times of sending and of the complete
   * answer, on the clock of `performance.now()`, and the failure that the answer is, if it is one.
   */
  constructor(
    private readonly next: () => Uint8Array | undefined,
    private readonly onAnswer: (sentAtMs: number, answeredAtMs: number, failure: string | undefined) => void,
  ) {}

  async connect(host: string, port: number): Promise<void> {
    const socket = connect({ host, port, noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.removeAllListeners('error');
    this.#socket = socket;
    this.#parser = new ResponseParser((failure) => this.#answered(failure));
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the server closed a connection')));
  }

  /** Resolves when `next` gave no more requests and the last one is answered. Rejects when the connection breaks. */
  async run(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
      this.#sendNext();
    });
  }

  #received(chunk: Buffer): void {
    try {
      this.#parser?.push(chunk);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #answered(failure: string | undefined): void {
    this.onAnswer(this.#sentAtMs, performance.now(), failure);
    this.#sendNext();
  }

  #sendNext(): void {
    const request = this.next();
    if (request === undefined) {
      this.#end();
      return;
    }
    this.#sentAtMs = performance.now();
    this.#socket?.write(request);
  }

  #end(error?: Error): void {
    const settle = this.#settle;
    this.#settle = undefined;
    this.#socket?.removeAllListeners('close').destroy();
    settle?.(error);
  }
}
