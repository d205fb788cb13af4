import type { Socket } from 'node:net';
import type { SqlResponse } from '../database/database-service.js';
import { statusClass, type StatusClass } from '../metering/metrics.js';
import { headerLines, statusLine } from './answer-head.js';
import { ChunkedBody } from './chunked-body.js';
import { connectionSignal } from './connection-signal.js';
import { corsHeaders } from './cors.js';
import type { GrantedAccess } from './database-access.js';
import type { FastLane } from './fast-lane.js';
import { executeGranted } from './granted-execution.js';
import { shuttingDown } from './http-server.js';
import { KnownHead, type HeadMeaning, type RecognizedRequest } from './known-head.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import { ClientStalledError, streamBody } from './response-stream.js';
import { answerType, sqlRoutes } from './sql-routes.js';

/** A longer request is Node's: what a lane saves is nothing beside the work of such a request. */
const maxRequestBytes = 64 * 1024;
/** Requests that a client may send ahead before this side stops reading. */
const mostUnanswered = 64;
/** An answer up to this length is sent together with its head, in one piece. */
const onePieceBytes = 16 * 1024;

const jsonType = ['content-type', 'application/json'];
const cors = Object.entries(corsHeaders).flat();
const wholeAnswers = new Map(
  sqlRoutes.map(([, kind]) => [
    kind,
    statusLine(200) + headerLines([...cors, 'content-type', answerType(kind, false)]),
  ]),
);

/** What becomes of a connection. */
export interface LaneExits {
  /** The connection is Node's from now on. */
  readonly handOver: () => void;
  readonly closed: () => void;
}

/** One request that has not been answered yet. */
interface Exchange {
  readonly meaning: HeadMeaning;
  readonly startedAtMs: number;
  /** Undefined when it is not traced. */
  readonly trace: TraceSpan | undefined;
  /** Writes the answer; set when there is one. */
  send: (() => void) | undefined;
  isSending: boolean;
  isOver: boolean;
}

/** One connection while it is in the lane. */
export class LaneConnection {
  readonly #lane: FastLane;
  readonly #socket: Socket;
  readonly #exits: LaneExits;
  readonly #signal: AbortSignal;
  /** In the order of their requests. */
  readonly #exchanges: Exchange[] = [];
  #known: KnownHead | undefined;
  /** Bytes that have come and belong to no request yet. */
  #pending: Buffer | undefined;
  /** What is pending is not simple. */
  #isForNode = false;
  /** The connection ends with the answer that was sent last. */
  #isLast = false;
  #hasServed = false;
  /** Since when nothing happens between requests. */
  #quietSinceMs: number;
  /** Since when the rest of a request is to come. */
  #partialSinceMs: number | undefined;

  constructor(lane: FastLane, socket: Socket, exits: LaneExits) {
    this.#lane = lane;
    this.#socket = socket;
    this.#exits = exits;
    this.#signal = connectionSignal(socket);
    this.#quietSinceMs = lane.options.runtime.monotonicMs();
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose).on('error', this.#onError);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** To be called every `sweepMs`: who says nothing, or not the rest of a request, is Node's to time out. */
  sweep(nowMs: number, sweepMs: number): void {
    if (this.#exchanges.length > 0 || this.#isLast) return;
    const { headersTimeoutMs, keepAliveTimeoutMs } = this.#lane.options.limits;
    if (this.#partialSinceMs !== undefined) {
      if (nowMs - this.#partialSinceMs >= sweepMs) this.#handOver();
    } else if (this.#hasServed) {
      if (nowMs - this.#quietSinceMs >= keepAliveTimeoutMs) this.#socket.destroy();
    } else if (nowMs - this.#quietSinceMs >= headersTimeoutMs) {
      this.#handOver();
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#pending = this.#pending ? Buffer.concat([this.#pending, chunk]) : chunk;
    this.#advance();
  };

  /** As Node's server does: a client that sends nothing more is not answered any more. */
  readonly #onEnd = (): void => {
    this.#socket.end();
  };

  readonly #onClose = (): void => {
    for (const exchange of this.#exchanges.splice(0)) this.#end(exchange, 'aborted');
    this.#exits.closed();
  };

  readonly #onError = (error: Error): void => {
    // The connection closes by itself, and the requests on it end there.
    this.#lane.options.log.debug({ err: error }, 'a client connection failed');
  };

  #advance(): void {
    while (this.#pending && !this.#isForNode && !this.#isLast && this.#exchanges.length < mostUnanswered) {
      const bytes = this.#pending;
      const request = this.#recognize(bytes);
      if (request === 'partial') {
        this.#partialSinceMs ??= this.#lane.options.runtime.monotonicMs();
        break;
      }
      this.#partialSinceMs = undefined;
      if (request === undefined) {
        this.#isForNode = true;
        break;
      }
      const { meaning, bodyStart, bodyEnd } = request;
      this.#pending = bodyEnd < bytes.length ? bytes.subarray(bodyEnd) : undefined;
      this.#begin(meaning, bytes.subarray(bodyStart, bodyEnd));
    }
    if (!this.#pending) return;
    if (this.#isForNode && this.#exchanges.length === 0) this.#handOver();
    else if (this.#isForNode || this.#exchanges.length >= mostUnanswered) this.#socket.pause();
  }

  /** The whole request that `bytes` begin with; `partial` when more is to come, undefined when it is not simple. */
  #recognize(bytes: Buffer): RecognizedRequest | 'partial' | undefined {
    let request = this.#known?.recognize(bytes);
    if (!request) {
      const { routes, options } = this.#lane;
      const known = KnownHead.read(bytes, options.limits.maxHeaderBytes, routes);
      if (!known || known === 'partial') return known;
      this.#known = known;
      request = known.recognize(bytes);
    }
    if (!request || request.bodyEnd <= bytes.length) return request;
    const { maxBodyBytes } = this.#lane.options.limits;
    const isLong = request.bodyEnd > maxRequestBytes || request.bodyEnd - request.bodyStart > maxBodyBytes;
    return isLong ? undefined : 'partial';
  }

  #begin(meaning: HeadMeaning, body: Buffer): void {
    const { server, runtime, tracing } = this.#lane.options;
    const exchange: Exchange = {
      meaning,
      startedAtMs: runtime.monotonicMs(),
      trace: tracing?.begin(meaning),
      send: undefined,
      isSending: false,
      isOver: false,
    };
    this.#hasServed = true;
    this.#exchanges.push(exchange);
    server.drain.enter();
    const { trace } = exchange;
    const answered = trace ? trace.run(async () => this.#answer(exchange, body)) : this.#answer(exchange, body);
    answered.catch((error: unknown) => this.#refuse(exchange, error));
  }

  async #answer(exchange: Exchange, body: Buffer): Promise<void> {
    const { access, databases, budget, server } = this.#lane.options;
    if (server.drain.state === 'closing') throw shuttingDown();
    const { meaning, trace } = exchange;
    const grant = async (): Promise<GrantedAccess> => access.grant(meaning.target, meaning.headers, this.#socket);
    const granted = await grant();
    budget.take(body.length);
    let answer: SqlResponse;
    try {
      const { kind, isForwarded, clientKey, requestId } = meaning;
      const request = { kind, body, signal: this.#signal, isForwarded, clientKey, requestId, trace };
      answer = await executeGranted(databases, granted, request, grant);
    } finally {
      budget.giveBack(body.length);
    }
    exchange.send = () => this.#send(exchange, answer);
    this.#flush();
  }

  /** Sends what can be sent in order. */
  #flush(): void {
    for (let first = this.#exchanges[0]; first?.send && !first.isSending; first = this.#exchanges[0]) {
      first.isSending = true;
      first.send();
    }
  }

  /** The answer of the first exchange was given to the connection; the next one may follow it. */
  #sent(exchange: Exchange): void {
    if (this.#exchanges[0] === exchange) this.#exchanges.shift();
    if (this.#isLast) {
      this.#socket.destroySoon();
      return;
    }
    if (this.#exchanges.length === 0) this.#quietSinceMs = this.#lane.options.runtime.monotonicMs();
    if (!this.#pending) return;
    this.#socket.resume();
    this.#advance();
  }

  #send(exchange: Exchange, { status, body, requestId }: SqlResponse): void {
    if (Buffer.isBuffer(body)) this.#sendWhole(exchange, status, body, requestId);
    else this.#sendStream(exchange, status, body);
  }

  #sendWhole(exchange: Exchange, status: number, body: Buffer, called: string | undefined): void {
    const { errors } = this.#lane.options.server;
    const known = status === 200 ? wholeAnswers.get(exchange.meaning.kind) : undefined;
    let head = known ?? statusLine(status) + headerLines([...cors, ...jsonType]);
    head += `content-length: ${body.length}\r\n`;
    if (status >= 400) head += `x-request-id: ${exchange.meaning.requestId ?? called ?? errors.newRequestId()}\r\n`;
    this.#write(exchange, status, head, body);
  }

  /** Sends a complete answer whose head lacks only its last lines. */
  #write(exchange: Exchange, status: number, head: string, body: Buffer): void {
    const socket = this.#socket;
    exchange.trace?.set({ 'http.response.status_code': status });
    const text = head + this.#lane.answerHead.end(this.#keepsConnection());
    const written = (error?: Error | null): void => this.#end(exchange, error ? 'aborted' : statusClass(status));
    if (body.length <= onePieceBytes) {
      // Latin-1 maps every byte to itself.
      socket.write(text + body.toString('latin1'), 'latin1', written);
    } else {
      socket.cork();
      socket.write(text, 'latin1');
      socket.write(body, written);
      socket.uncork();
    }
    this.#sent(exchange);
  }

  #sendStream(exchange: Exchange, status: number, parts: AsyncIterable<Buffer>): void {
    const { runtime, limits } = this.#lane.options;
    exchange.trace?.set({ 'http.response.status_code': status });
    let hasStarted = false;
    const start = (): void => {
      hasStarted = true;
      const type = answerType(exchange.meaning.kind, true);
      const headers = [...cors, 'content-type', type, 'transfer-encoding', 'chunked'];
      this.#socket.write(this.#lane.answerHead.text(status, headers, this.#keepsConnection()), 'latin1');
    };
    const sink = new ChunkedBody(this.#socket, () => {
      this.#end(exchange, statusClass(status));
      this.#sent(exchange);
      this.#flush();
    });
    streamBody(sink, parts, start, runtime, limits.stallTimeoutMs).catch((error: unknown) => {
      if (hasStarted || error instanceof ClientStalledError) {
        this.#cutOff(exchange, error);
        return;
      }
      this.#sendRefusal(exchange, error);
      this.#flush();
    });
  }

  /** True unless the answer that is about to be sent is the last one of its connection. */
  #keepsConnection(): boolean {
    this.#isLast ||= this.#lane.options.server.drain.isLeaving;
    return !this.#isLast;
  }

  #refuse(exchange: Exchange, error: unknown): void {
    if (this.#signal.aborted) {
      this.#lane.options.log.debug({ err: error }, 'the client went away before its answer was complete');
      return;
    }
    exchange.send = () => this.#sendRefusal(exchange, error);
    this.#flush();
  }

  #sendRefusal(exchange: Exchange, thrown: unknown): void {
    const { errors } = this.#lane.options.server;
    const { error, requestId, body } = errors.refuse(
      thrown,
      'POST',
      exchange.meaning.sentTarget,
      exchange.meaning.requestId,
      exchange.trace,
    );
    const bytes = Buffer.from(body);
    const headers = [...cors, ...jsonType, 'content-length', String(bytes.length), 'x-request-id', requestId];
    this.#write(exchange, error.status, statusLine(error.status) + headerLines(headers), bytes);
  }

  /** A truncated answer must not look whole. */
  #cutOff(exchange: Exchange, error: unknown): void {
    const { server, log } = this.#lane.options;
    if (error instanceof ClientStalledError) log.info({ err: error }, 'a streamed answer was cut off');
    else if (!this.#signal.aborted) {
      const { sentTarget, requestId } = exchange.meaning;
      server.errors.refuse(error, 'POST', sentTarget, requestId, exchange.trace);
    }
    this.#socket.destroy();
  }

  #end(exchange: Exchange, status: StatusClass): void {
    if (exchange.isOver) return;
    exchange.isOver = true;
    const { server, metrics, runtime } = this.#lane.options;
    server.drain.leave();
    if (status === 'aborted') exchange.trace?.fail(status);
    exchange.trace?.end();
    metrics.requestEnded(exchange.meaning.kind, status, runtime.monotonicMs() - exchange.startedAtMs);
  }

  #handOver(): void {
    const socket = this.#socket;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('error', this.#onError);
    // Paused, so that what is put back waits for the parser.
    socket.pause();
    if (this.#pending) socket.unshift(this.#pending);
    this.#pending = undefined;
    this.#exits.handOver();
    socket.resume();
  }
}
