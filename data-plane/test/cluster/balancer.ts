/**
 * A small HTTP load balancer, so that clients of several nodes see one address: round robin over the nodes whose
 * `GET /ready` answers 200. A request that no node has received (the connection was refused) goes to another one; a request
 * that a node may have received is never sent again.
 */
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface BalancerOptions {
  /** Base URLs of the nodes. */
  readonly targets: readonly string[];
  readonly checkEveryMs: number;
  /** A node that does not answer a check for this long is sent nothing. */
  readonly checkTimeoutMs: number;
}

interface Target {
  readonly host: string;
  readonly port: number;
  isReady: boolean;
  isBeingChecked: boolean;
}

/** Idle connections are closed long before a node would close them. */
const idleConnectionMs = 10_000;

export class Balancer {
  readonly #options: BalancerOptions;
  readonly #targets: Target[];
  readonly #agent = new Agent({ keepAlive: true, timeout: idleConnectionMs, scheduling: 'lifo' });
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #port = 0;

  private constructor(options: BalancerOptions) {
    this.#options = options;
    this.#targets = options.targets.map((target) => {
      const { hostname, port } = new URL(target);
      return { host: hostname, port: Number(port), isReady: true, isBeingChecked: false };
    });
  }

  static async start(options: BalancerOptions): Promise<Balancer> {
    const balancer = new Balancer(options);
    balancer.#server.keepAliveTimeout = 120_000;
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    balancer.#port = (balancer.#server.address() as AddressInfo).port;
    balancer.#timer = setInterval(() => balancer.#check(), options.checkEveryMs);
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await closed;
  }

  #check(): void {
    for (const target of this.#targets) {
      if (target.isBeingChecked) continue;
      target.isBeingChecked = true;
      // Without an agent: a check opens a connection of its own, as a new client would.
      const check = httpRequest({ host: target.host, port: target.port, path: '/ready', agent: false });
      const done = (isReady: boolean): void => {
        target.isReady = isReady;
        target.isBeingChecked = false;
      };
      check.setTimeout(this.#options.checkTimeoutMs, () => check.destroy(new Error('no answer')));
      check.once('response', (response) => {
        response.resume();
        done(response.statusCode === 200);
      });
      check.once('error', () => done(false));
      check.end();
    }
  }

  /** The next node in turn; when none is ready any that was not tried, because a check may be mistaken. */
  #next(tried: ReadonlySet<Target>): Target | undefined {
    const untried = this.#targets.filter((target) => !tried.has(target));
    const ready = untried.filter(({ isReady }) => isReady);
    const choice = ready.length > 0 ? ready : untried;
    return choice[this.#turn++ % choice.length];
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // The client went away while it sent its request: nobody is left to be answered.
      response.destroy();
      return;
    }
    this.#forward(request, Buffer.concat(chunks), response, new Set());
  }

  #forward(request: IncomingMessage, body: Buffer, response: ServerResponse, tried: Set<Target>): void {
    const target = this.#next(tried);
    if (!target) {
      response.writeHead(503, { 'content-type': 'text/plain' }).end('no node accepts connections');
      return;
    }
    tried.add(target);
    const { connection: _, ...headers } = request.headers;
    const upstream = httpRequest({
      host: target.host,
      port: target.port,
      method: request.method,
      path: request.url,
      headers,
      agent: this.#agent,
    });
    let isConnected = false;
    upstream.once('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (isConnected = true));
      else isConnected = true;
    });
    upstream.once('response', (answer) => {
      const { connection: __, ...answerHeaders } = answer.headers;
      response.writeHead(answer.statusCode ?? 502, answerHeaders);
      answer.once('error', () => response.destroy());
      answer.pipe(response);
    });
    upstream.once('error', () => {
      if (response.headersSent) response.destroy();
      else if (isConnected) response.writeHead(502, { 'content-type': 'text/plain' }).end('the node broke off');
      else {
        target.isReady = false;
        this.#forward(request, body, response, tried);
      }
    });
    response.once('close', () => {
      if (!response.writableFinished) upstream.destroy();
    });
    upstream.end(body);
  }
}
