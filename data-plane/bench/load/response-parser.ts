/** Answers that are larger than this are only looked at so far for an error in them. */
const inspectedBytes = 4096;
const maxHeadBytes = 64 * 1024;
const headEnd = '\r\n\r\n';
/** An error inside a Hrana answer, and nothing else in one, has a message. */
const errorMark = '"message":';

/**
 * Finds the ends of HTTP responses in what a socket delivers, however it is cut: just enough of HTTP for a closed loop
 * on a kept connection, so that the load generator costs little. Responses must carry a content length.
 */
export class ResponseParser {
  #head: Buffer | undefined;
  #status = 0;
  #bodyLeft: number | undefined;
  #inspected: Buffer | undefined;
  readonly #onResponse: (failure: string | undefined) => void;

  /** `onResponse` is called at the end of every response; with a text when it is no success, or an error in disguise. */
  constructor(onResponse: (failure: string | undefined) => void) {
    this.#onResponse = onResponse;
  }

  /** Throws `Error` for a response without a content length. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft === undefined) {
        const consumed = this.#readHead(chunk, at);
        if (consumed === undefined) return;
        at += consumed;
      }
      at += this.#readBody(chunk, at);
    }
  }

  /** Returns how many bytes of the chunk belong to the head, or undefined when it has not ended yet. */
  #readHead(chunk: Buffer, at: number): number | undefined {
    const known = this.#head?.length ?? 0;
    const head = this.#head === undefined ? chunk.subarray(at) : Buffer.concat([this.#head, chunk.subarray(at)]);
    const end = head.indexOf(headEnd, Math.max(0, known - headEnd.length), 'latin1');
    if (end < 0) {
      if (head.length > maxHeadBytes) throw new Error('the head of a response does not end');
      // A copy, because the socket may use its memory again.
      this.#head = Buffer.from(head);
      return undefined;
    }
    const text = head.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1];
    if (length === undefined) throw new Error(`a response has no content length: ${text}`);
    this.#head = undefined;
    this.#status = Number(text.slice(9, 12));
    this.#bodyLeft = Number(length);
    return end + headEnd.length - known;
  }

  #readBody(chunk: Buffer, at: number): number {
    const left = this.#bodyLeft ?? 0;
    const part = chunk.subarray(at, at + left);
    if (this.#inspected === undefined) this.#inspected = part.subarray(0, inspectedBytes);
    else if (this.#inspected.length < inspectedBytes) {
      this.#inspected = Buffer.concat([this.#inspected, part.subarray(0, inspectedBytes - this.#inspected.length)]);
    }
    if (part.length < left) {
      if (this.#inspected.length < inspectedBytes) this.#inspected = Buffer.from(this.#inspected);
      this.#bodyLeft = left - part.length;
      return part.length;
    }
    const inspected = this.#inspected;
    this.#inspected = undefined;
    this.#bodyLeft = undefined;
    const isSuccess = this.#status === 200 && !inspected.includes(errorMark, 0, 'latin1');
    this.#onResponse(isSuccess ? undefined : `${this.#status} ${inspected.toString('utf8', 0, 300)}`);
    return part.length;
  }
}
