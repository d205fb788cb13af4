import type { Outbox } from './outbox.js';
import { Signal } from './task.js';

/** Most bytes of one response that may be on their way without the client having taken them. */
export const maxUncreditedBytes = 1024 * 1024;

/** The response to one request, in parts. */
export class ResponseStream {
  readonly #request: number;
  readonly #outbox: Outbox;
  #uncreditedBytes = 0;
  #room: Signal | undefined;
  #ended = false;

  constructor(request: number, outbox: Outbox) {
    this.#request = request;
    this.#outbox = outbox;
  }

  /** True when the last part was sent. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a part that depends on nothing after commit `seenCommit`. */
  send(status: number, seenCommit: number, body: Uint8Array, last: boolean): void {
    this.#ended = last;
    this.#uncreditedBytes += body.byteLength;
    this.#outbox.send({ type: 'response', request: this.#request, status, seenCommit, last, body });
  }

  /** Sends the whole response as text. */
  sendText(status: number, seenCommit: number, text: string): void {
    this.#ended = true;
    this.#outbox.respond({ request: this.#request, status, seenCommit, last: true, text });
  }

  /** The client took `bytes` more. */
  credit(bytes: number): void {
    this.#uncreditedBytes -= bytes;
    this.#room?.raise();
    this.#room = undefined;
  }

  /** Undefined when `bytes` more may be sent; otherwise a signal that is raised with the next credit. */
  waitForRoom(bytes: number): Signal | undefined {
    if (this.#uncreditedBytes + bytes <= maxUncreditedBytes) return undefined;
    if (!this.#room || this.#room.raised) this.#room = new Signal();
    return this.#room;
  }
}
