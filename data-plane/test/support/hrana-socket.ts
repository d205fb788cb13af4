/** A WebSocket that speaks Hrana in JSON, message by message; for what official clients never send. */
import { once } from 'node:events';
import WebSocket from 'ws';
import type { TestDatabase } from './data-node.js';

export interface ServerMessage {
  readonly type: 'hello_ok' | 'hello_error' | 'response_ok' | 'response_error';
  readonly request_id?: number;
  readonly response?: { readonly type: string; readonly result?: any; readonly is_autocommit?: boolean } & Record<
    string,
    unknown
  >;
  readonly error?: { readonly message: string; readonly code: string };
}

export class HranaSocket {
  readonly webSocket: WebSocket;
  readonly messages: ServerMessage[] = [];
  /** Resolves with code and reason when the connection is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #waiting: (() => void)[] = [];
  #requestId = 0;

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    this.closed = new Promise((resolve) =>
      webSocket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    webSocket.on('error', () => undefined);
    webSocket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString()) as ServerMessage);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    webSocket.on('close', () => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Connects; rejects with the status of a refusal. */
  static async connect(
    url: string,
    { protocols = ['hrana3'], headers = {} }: { protocols?: string[]; headers?: Record<string, string> } = {},
  ): Promise<HranaSocket> {
    const webSocket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { headers });
    const socket = new HranaSocket(webSocket);
    await once(webSocket, 'open');
    return socket;
  }

  /** Connects and says hello with the database's token. */
  static async open(database: TestDatabase, token = database.token): Promise<HranaSocket> {
    const socket = await HranaSocket.connect(database.url);
    socket.send({ type: 'hello', jwt: token });
    await socket.next(({ type }) => type === 'hello_ok');
    return socket;
  }

  send(message: unknown): void {
    this.webSocket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Sends a request; resolves with its answer. */
  async ask(request: Record<string, unknown>): Promise<ServerMessage> {
    const id = this.sendRequest(request);
    return this.next(({ request_id: of }) => of === id);
  }

  sendRequest(request: Record<string, unknown>): number {
    this.#requestId += 1;
    this.send({ type: 'request', request_id: this.#requestId, request });
    return this.#requestId;
  }

  async openStream(streamId: number): Promise<void> {
    const { type } = await this.ask({ type: 'open_stream', stream_id: streamId });
    if (type !== 'response_ok') throw new Error('a stream was refused');
  }

  async execute(streamId: number, sql: string): Promise<ServerMessage> {
    return this.ask({ type: 'execute', stream_id: streamId, stmt: { sql } });
  }

  /** The first message that is meant, come or to come; it is taken. Rejects when the connection ends first. */
  async next(isMeant: (message: ServerMessage) => boolean): Promise<ServerMessage> {
    for (;;) {
      const at = this.messages.findIndex(isMeant);
      const [found] = at < 0 ? [] : this.messages.splice(at, 1);
      if (found) return found;
      if (this.webSocket.readyState === WebSocket.CLOSED) throw new Error('the connection was closed');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
