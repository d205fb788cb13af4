/**
 * One connection over WebSockets: what comes and what goes, and for how long.
 *
 * Invariants
 * - Nothing is answered before `hello` is; requests behind it wait.
 * - A client that takes nothing is not read from and starts nothing, and what it has sent ahead is bounded, in requests and in
 *   bytes.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { ByocError } from '../../errors/catalogue.js';
import type { SocketCodec } from '../../hrana/socket/codec.js';
import type { HttpLimits } from '../http-limits.js';
import type { RequestTarget } from '../request-target.js';
import type { SqlEndpointOptions } from '../sql-endpoint.js';
import { closeCodes } from './close-codes.js';
import { GrantedSocket } from './granted-socket.js';
import { SocketSession, type RequestMessage } from './socket-session.js';
import type { WebSocketLimits } from './web-socket-limits.js';

export interface WebSocketConnectionOptions extends Omit<SqlEndpointOptions, 'limits'> {
  readonly limits: WebSocketLimits;
  readonly httpLimits: HttpLimits;
}

export interface AcceptedConnection {
  readonly webSocket: WebSocket;
  /** Aborted when the connection closes. */
  readonly signal: AbortSignal;
  readonly codec: SocketCodec;
  readonly target: RequestTarget;
  /** Of the request that opened the connection. */
  readonly headers: IncomingHttpHeaders;
  /** What it came on. */
  readonly socket: Socket;
}

const leavingReason = 'the node is stopping; connect again';
/** RFC 6455, 5.5. */
const maxReasonBytes = 123;
/** Messages that wait to be looked at; there are more only when they came in one piece. */
const mostWaitingMessages = 16;

export class WebSocketConnection {
  readonly #options: WebSocketConnectionOptions;
  readonly #accepted: AcceptedConnection;
  readonly #onClosed: () => void;
  readonly #databases: GrantedSocket;
  readonly #session: SocketSession;
  readonly #cancelHelloTimer: () => void;
  #inbox: Buffer[] = [];
  #isPumping = false;
  /** Length of each request without an answer. */
  readonly #pending = new Map<RequestMessage, number>();
  #pendingBytes = 0;
  #isLeaving = false;
  /** The node waits for what is open here. */
  #releaseDrain = (): void => undefined;
  #isAlive = true;
  #pingedAtMs: number;
  #lastMessageMs: number;
  /** What the client had not taken when that changed last, and when that was. */
  #unsentBytes = 0;
  #unsentSinceMs: number;
  #wakeWhenTaken: (() => void)[] = [];

  constructor(options: WebSocketConnectionOptions, accepted: AcceptedConnection, onClosed: () => void) {
    const { runtime, limits, httpLimits } = options;
    const { webSocket, signal, codec, target, headers, socket } = accepted;
    this.#options = options;
    this.#accepted = accepted;
    this.#onClosed = onClosed;
    this.#databases = new GrantedSocket(options, target, { headers, socket }, signal);
    this.#session = new SocketSession({
      codec,
      databases: this.#databases,
      limits,
      maxResolvedBytes: httpLimits.maxBodyBytes,
      runtime,
      answer: (request, message) => this.#answer(request, message),
      refuse: (request, thrown) => this.#refuse(request, thrown),
      note: (thrown) => void this.#note(thrown),
      taken: async () => this.#taken(),
      rested: () => this.#closeIfLeft(),
    });
    this.#pingedAtMs = runtime.monotonicMs();
    this.#lastMessageMs = this.#pingedAtMs;
    this.#unsentSinceMs = this.#pingedAtMs;
    this.#cancelHelloTimer = runtime.schedule(limits.helloTimeoutMs, () =>
      this.close(closeCodes.policy, 'no hello came in time'),
    );
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.#onMessage(data, isBinary));
    webSocket.on('pong', () => (this.#isAlive = true));
    webSocket.on('close', () => this.#onClose());
    webSocket.on('error', (error) => {
      // Too long or malformed; the library closes the connection with the code for it.
      options.log.debug({ err: error }, 'a connection over WebSockets failed');
    });
  }

  /** Tells the client to go, with a code and in a sentence. */
  close(code: number, reason: string): void {
    const bytes = Buffer.from(reason.replace(/[^\x20-\x7e]/gu, '?')).subarray(0, maxReasonBytes);
    this.#accepted.webSocket.close(code, bytes);
  }

  destroy(): void {
    this.#accepted.webSocket.terminate();
  }

  /** The node is about to stop: the connection is closed as soon as the client has nothing here that would be lost. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#session.isInUse) {
      const { runtime, limits, server } = this.#options;
      server.drain.enter();
      const cancel = runtime.schedule(limits.leaveTimeoutMs, () => this.close(closeCodes.restart, leavingReason));
      this.#releaseDrain = () => {
        cancel();
        server.drain.leave();
      };
    }
    this.#closeIfLeft();
  }

  /** To be called now and then: ends what is idle, gone or stuck, and keeps alive what is to live. */
  sweep(nowMs: number): void {
    const { limits, log } = this.#options;
    if (nowMs - this.#lastMessageMs >= limits.idleTimeoutMs && this.#pending.size === 0) {
      this.close(closeCodes.idle, 'the connection was idle; connect again');
      return;
    }
    if (this.#isStuck(nowMs)) {
      log.info('a connection over WebSockets was cut off: its client takes nothing');
      this.destroy();
      return;
    }
    if (nowMs - this.#pingedAtMs >= limits.pingMs) this.#ping(nowMs);
    if (!this.#isLeaving) this.#session.keepAlive(nowMs);
  }

  /** How far a message is on its way cannot be seen, only when it has gone. */
  #isStuck(nowMs: number): boolean {
    const { bufferedAmount } = this.#accepted.webSocket;
    if (bufferedAmount === 0 || bufferedAmount !== this.#unsentBytes) {
      this.#unsentBytes = bufferedAmount;
      this.#unsentSinceMs = nowMs;
    }
    return nowMs - this.#unsentSinceMs >= this.#options.limits.stallTimeoutMs;
  }

  #ping(nowMs: number): void {
    const { webSocket } = this.#accepted;
    // Behind a long message a ping comes late; and while nothing is read, no answer to one can come.
    if (webSocket.bufferedAmount > 0 || webSocket.isPaused) return;
    if (!this.#isAlive) {
      this.destroy();
      return;
    }
    this.#isAlive = false;
    this.#pingedAtMs = nowMs;
    webSocket.ping();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    const { codec } = this.#accepted;
    if (isBinary !== codec.isBinary) {
      this.close(closeCodes.protocolError, `messages must be ${codec.isBinary ? 'binary' : 'text'}`);
      return;
    }
    this.#lastMessageMs = this.#options.runtime.monotonicMs();
    this.#isAlive = true;
    this.#inbox.push(data);
    void this.#pump();
    this.#holdOrGoOn();
  }

  #onClose(): void {
    this.#cancelHelloTimer();
    this.#inbox = [];
    for (const wake of this.#wakeWhenTaken.splice(0)) wake();
    this.#session.end();
    this.#releaseDrain();
    this.#onClosed();
  }

  /** Looks at the messages in order, as far as there is room for more requests. */
  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (this.#hasRoom) {
        const frame = this.#inbox.shift();
        if (!frame) break;
        const message = this.#accepted.codec.decode(frame);
        if (message.type === 'hello') await this.#hello(message.jwt);
        else this.#begin(message, frame.length);
      }
    } catch (error) {
      const { code, message, status } = this.#note(error);
      this.#inbox = [];
      this.close(status < 500 ? closeCodes.protocolError : closeCodes.internal, `${code}: ${message}`);
    } finally {
      this.#isPumping = false;
      this.#holdOrGoOn();
    }
  }

  get #hasRoom(): boolean {
    const { maxPendingRequests, maxPendingBytes, maxUnsentBytes } = this.#options.limits;
    return (
      this.#pending.size < maxPendingRequests &&
      this.#pendingBytes < maxPendingBytes &&
      this.#accepted.webSocket.bufferedAmount <= maxUnsentBytes
    );
  }

  /** Reads from the connection only while there is room for what comes. */
  #holdOrGoOn(): void {
    const { webSocket } = this.#accepted;
    const isToHold = !this.#hasRoom || this.#inbox.length > mostWaitingMessages;
    if (isToHold && !webSocket.isPaused) webSocket.pause();
    else if (!isToHold && webSocket.isPaused) webSocket.resume();
  }

  async #hello(jwt: string | undefined): Promise<void> {
    this.#cancelHelloTimer();
    const { codec } = this.#accepted;
    try {
      await this.#databases.greet(jwt);
      this.#send(codec.helloOk());
    } catch (error) {
      const { message, code } = this.#note(error);
      this.#send(codec.helloError({ message, code, extendedCode: undefined }));
      this.#inbox = [];
      this.close(closeCodes.policy, code);
    }
  }

  #begin(message: RequestMessage, bytes: number): void {
    this.#pending.set(message, bytes);
    this.#pendingBytes += bytes;
    if (this.#databases.hasGreeted) this.#session.begin(message);
    else this.#refuse(message, new ByocError('AUTH_HTTP_HEADER_MISSING', 'send hello with a token first'));
  }

  #answer(request: RequestMessage, message: Buffer): void {
    this.#send(message);
    this.#pendingBytes -= this.#pending.get(request) ?? 0;
    this.#pending.delete(request);
    if (this.#inbox.length > 0) void this.#pump();
    else this.#holdOrGoOn();
    this.#closeIfLeft();
  }

  #refuse(request: RequestMessage, thrown: unknown): void {
    const { message, code } = this.#note(thrown);
    const error = { message, code, extendedCode: undefined };
    this.#answer(request, this.#accepted.codec.responseError(request.requestId, error));
  }

  #closeIfLeft(): void {
    if (!this.#isLeaving || this.#pending.size > 0 || this.#inbox.length > 0 || this.#session.isInUse) return;
    this.close(closeCodes.restart, leavingReason);
  }

  /** The error of the catalogue that was thrown; the log has it too. */
  #note(thrown: unknown): ByocError {
    const { label } = this.#accepted.target;
    return this.#options.server.errors.refuse(thrown, 'WS', label === undefined ? '/' : `/db/${label}/`).error;
  }

  #send(message: Buffer): void {
    const { webSocket, codec } = this.#accepted;
    if (webSocket.readyState !== webSocket.OPEN) return;
    webSocket.send(message, { binary: codec.isBinary }, () => this.#onSent());
  }

  #onSent(): void {
    if (this.#accepted.webSocket.bufferedAmount > this.#options.limits.maxUnsentBytes) return;
    for (const wake of this.#wakeWhenTaken.splice(0)) wake();
    if (this.#inbox.length > 0) void this.#pump();
    else this.#holdOrGoOn();
  }

  /** Resolves when the client has taken most of what was sent, or is gone. */
  async #taken(): Promise<void> {
    const { webSocket } = this.#accepted;
    while (webSocket.readyState === webSocket.OPEN && webSocket.bufferedAmount > this.#options.limits.maxUnsentBytes) {
      await new Promise<void>((resolve) => this.#wakeWhenTaken.push(resolve));
    }
  }
}
