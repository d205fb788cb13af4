/** An HTTP proxy before a node that loses answers, as a network or a load balancer does: the node has served the request. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `cut`: the connection breaks; `bad gateway`: an answer of the proxy's own; `late`: the answer never comes. */
export type Loss = 'cut' | 'bad gateway' | 'late';

export class LossyProxy {
  /** How the next answers are lost; requests after these are answered. */
  readonly losses: Loss[] = [];
  /** Requests that the node has answered. */
  served = 0;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => void this.#pass(request.url ?? '/', request.headers, Buffer.concat(chunks), response));
  });

  private constructor(private readonly target: string) {}

  static async start(target: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #pass(path: string, headers: NodeJS.Dict<string | string[]>, body: Buffer, response: ServerResponse) {
    const answer = await fetch(this.target + path, {
      method: 'POST',
      headers: { authorization: String(headers['authorization']), 'content-type': 'application/json' },
      body: new Uint8Array(body),
    });
    const text = await answer.text();
    this.served += 1;
    const loss = this.losses.shift();
    if (loss === 'cut') response.destroy();
    else if (loss === 'bad gateway') response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>502</h1>');
    else if (loss === undefined) response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  }
}
