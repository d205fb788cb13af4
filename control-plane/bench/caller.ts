import { Agent, request } from 'node:http';
import type { RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';

/** Calls over kept connections: a client that costs less than what it measures. */
export class Caller {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(private readonly local: RunningLocalSystem) {}

  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${this.local.token}` };
      const sent = request(this.local.apiUrl + path, { method, agent: this.#agent, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }),
        );
      });
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
    if (status !== 200) throw new Error(`${method} ${path}: ${text}`);
    return JSON.parse(text);
  }
}
