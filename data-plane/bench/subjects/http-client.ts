import { Agent, request } from 'node:http';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A client for one local server on kept connections, for setting up and for single measured requests. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(private readonly port: number) {}

  /** Throws `Error` unless the answer is a success. */
  async send(method: string, path: string, token: string, body?: Buffer): Promise<HttpAnswer> {
    const answer = await new Promise<HttpAnswer>((resolve, reject) => {
      const outgoing = request({
        agent: this.#agent,
        host: '127.0.0.1',
        port: this.port,
        method,
        path,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': 'application/json', 'content-length': body.length }),
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(headers),
            body: Buffer.concat(parts),
          });
        });
      });
      outgoing.end(body);
    });
    if (answer.status >= 300) {
      throw new Error(`${method} ${path} was answered with ${answer.status}: ${answer.body.toString('utf8', 0, 300)}`);
    }
    return answer;
  }

  close(): void {
    this.#agent.destroy();
  }
}
