import { STATUS_CODES } from 'node:http';
import type { Runtime } from '../runtime.js';

/** Names and values in turn. */
export type HeaderList = readonly string[];

/** Writes the heads of answers as Node does: the same lines in the same order. */
export class AnswerHead {
  readonly #runtime: Pick<Runtime, 'nowMs'>;
  readonly #keepAlive: string;
  /** The `Date` line changes once a second; formatting it costs more than the rest of a head. */
  #second = -1;
  #kept = '';
  #closing = '';

  /** `keepAliveTimeoutMs`: how long a connection may be idle, which clients are told in seconds. */
  constructor(runtime: Pick<Runtime, 'nowMs'>, keepAliveTimeoutMs: number) {
    this.#runtime = runtime;
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n\r\n`;
  }

  /** The head as text, its empty line included. */
  text(status: number, headers: HeaderList, keepsConnection: boolean): string {
    return statusLine(status) + headerLines(headers) + this.end(keepsConnection);
  }

  /** What follows the lines of an answer's own: date, what becomes of the connection, the empty line. */
  end(keepsConnection: boolean): string {
    const second = Math.floor(this.#runtime.nowMs() / 1000);
    if (second !== this.#second) {
      const date = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
      this.#second = second;
      this.#kept = date + this.#keepAlive;
      this.#closing = `${date}Connection: close\r\n\r\n`;
    }
    return keepsConnection ? this.#kept : this.#closing;
  }
}

export function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
}

export function headerLines(headers: HeaderList): string {
  let lines = '';
  for (let at = 0; at + 1 < headers.length; at += 2) lines += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return lines;
}
