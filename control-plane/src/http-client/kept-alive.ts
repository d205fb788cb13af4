/**
 * Small HTTP calls of one service to another over connections that stay open. Node's `fetch` does the same for about four times
 * the processor time, most of it in web streams around bodies that are whole anyway; a busy control plane spent more than
 * half of its time there.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Tracing } from '@turso-byoc/data-plane/tracing/tracing.js';
import { asCallSpan } from './call-span.js';

export interface HttpCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** What its span is called: an operation, never what fills it. */
  readonly operation: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** The answer did not come in time; whether the call took effect is not known. */
class HttpTimeout extends Error {
  override readonly name = 'TimeoutError';
}

/** Connections that may turn out to be closed before a call gives up. */
const maxResent = 2;

export class KeptAlive {
  readonly #http = new HttpAgent({ keepAlive: true });
  readonly #https = new HttpsAgent({ keepAlive: true });

  /** `timeoutMs`: how long a call may take in all. */
  constructor(
    private readonly timeoutMs: number,
    private readonly tracing: Tracing | undefined,
  ) {}

  /**
   * Sends a call that may be sent twice. Throws system errors (`ECONNREFUSED`, …) when nobody answers, and an error named
   * `TimeoutError`.
   */
  async call(call: HttpCall): Promise<HttpAnswer> {
    return asCallSpan(this.tracing, call, async (traced) =>
      this.#resend(traced ? { ...call, headers: { ...call.headers, ...traced } } : call),
    );
  }

  async #resend(call: HttpCall): Promise<HttpAnswer> {
    for (let resent = 0; ; resent += 1) {
      try {
        return await this.#send(call);
      } catch (error) {
        if (!(error instanceof ClosedMeanwhile)) throw error;
        // Of many connections to a server that is gone each may be one.
        if (resent === maxResent) throw error.cause;
      }
    }
  }

  /** Closes what is open and idle. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  async #send({ method, url, headers, body }: HttpCall): Promise<HttpAnswer> {
    const [request, agent] = url.protocol === 'https:' ? [httpsRequest, this.#https] : [httpRequest, this.#http];
    return new Promise((resolve, reject) => {
      const sent = request(url, {
        method,
        agent,
        headers: { ...headers, ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }) },
      });
      const timer = setTimeout(() => {
        sent.destroy(new HttpTimeout(`${method} ${url.pathname} took longer than ${this.timeoutMs} ms`));
      }, this.timeoutMs);
      const fail = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer);
        // The server closed a connection that was open for long, just as the call was sent on it.
        const isStale = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(isStale ? new ClosedMeanwhile(error.message, { cause: error }) : error);
      };
      sent.on('error', fail);
      sent.on('response', (response: IncomingMessage) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', fail);
        response.on('end', () => {
          clearTimeout(timer);
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) });
        });
      });
      sent.end(body);
    });
  }
}

/** Never leaves this file. */
class ClosedMeanwhile extends Error {}
