/**
 * The hot path: one SQL request over HTTP, from its head to the last byte of its answer.
 *
 * It works on Node's own request and response, past the framework's body parsing and reply, because that is most of
 * what this process does for a point select. Everything rare (errors, streams, a closing server) leaves the straight line.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { DatabaseRequestKind, DatabaseService, SqlResponse } from '../database/database-service.js';
import type { MemoryBudget } from '../memory-budget.js';
import { statusClass, type Metrics } from '../metering/metrics.js';
import type { Runtime } from '../runtime.js';
import type { Tracing } from '../tracing/tracing.js';
import type { TraceSpan } from '../tracing/trace-span.js';
import { presentedKey } from './client-key-headers.js';
import { connectionSignal } from './connection-signal.js';
import type { ClientOrigins } from './client-origins.js';
import type { DatabaseAccess, GrantedAccess } from './database-access.js';
import { corsHeaders } from './cors.js';
import { forwardedHeader } from './forwarding.js';
import { executeGranted } from './granted-execution.js';
import type { HttpLimits } from './http-limits.js';
import { shuttingDown, type HttpServer } from './http-server.js';
import { givenRequestId, requestIdHeader } from './request-id.js';
import type { RequestTarget } from './request-target.js';
import { beginTrace, endTrace } from './request-trace.js';
import { readBody } from './request-body.js';
import { onResponseEnd } from './response-end.js';
import { streamBody } from './response-stream.js';
import { answerType } from './sql-routes.js';

export interface SqlEndpointOptions {
  readonly server: HttpServer;
  readonly access: DatabaseAccess;
  readonly origins: ClientOrigins;
  /** Connections of trusted proxies begin with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  readonly databases: Pick<DatabaseService, 'execute'>;
  readonly metrics: Metrics;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly limits: HttpLimits;
  readonly budget: MemoryBudget;
  /** Absent when nothing is traced. */
  readonly tracing?: Tracing | undefined;
}

/** Names and values in turn: the form that Node takes over with the least work. */
const commonHeaders: readonly string[] = Object.entries(corsHeaders).flat();

export class SqlEndpoint {
  readonly #options: SqlEndpointOptions;

  constructor(options: SqlEndpointOptions) {
    this.#options = options;
  }

  /** Answers one request. `body`: what is run in place of the body of the request. Never throws. */
  handle(
    kind: DatabaseRequestKind,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    body?: Buffer,
  ): void {
    const { server, metrics, runtime, tracing } = this.#options;
    if (server.drain.state === 'closing') {
      server.errors.send(request, response, shuttingDown());
      return;
    }
    const startedAtMs = runtime.monotonicMs();
    const signal = connectionSignal(request.socket);
    const trace = tracing && beginTrace(tracing, kind, request.headers);
    server.drain.enter();
    onResponseEnd(request, response, () => {
      server.drain.leave();
      const finished = response.writableFinished;
      const status = finished ? statusClass(response.statusCode) : 'aborted';
      endTrace(trace, finished ? response.statusCode : undefined);
      metrics.requestEnded(kind, status, runtime.monotonicMs() - startedAtMs);
    });
    const run = async (): Promise<void> => this.#answer(kind, target, request, response, signal, body, trace);
    const answered = trace ? trace.run(run) : run();
    answered.catch((error: unknown) => server.errors.end(request, response, error, signal, trace));
  }

  async #answer(
    kind: DatabaseRequestKind,
    target: RequestTarget,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
    given: Buffer | undefined,
    trace: TraceSpan | undefined,
  ): Promise<void> {
    const { access, databases, limits, budget } = this.#options;
    // Before the body is read: nobody without a token makes this process hold megabytes.
    const grant = async (): Promise<GrantedAccess> => access.grant(target, request.headers, request.socket);
    const granted = await grant();
    const body = given ?? (await readBody(request, limits.maxBodyBytes, budget));
    const isForwarded = request.headers[forwardedHeader] !== undefined;
    const clientKey = presentedKey(request.headers);
    let answer: SqlResponse;
    try {
      const requestId = givenRequestId(request.headers);
      const asked = { kind, body, signal, isForwarded, clientKey, requestId, trace };
      answer = await executeGranted(databases, granted, asked, grant);
    } finally {
      if (!given) budget.giveBack(body.length);
    }
    // Errors are JSON whatever was asked.
    const type = answer.status === 200 ? answerType(kind, !Buffer.isBuffer(answer.body)) : 'application/json';
    if (Buffer.isBuffer(answer.body)) this.#sendWhole(request, response, answer, type, answer.body);
    else await this.#sendStream(response, answer.status, type, answer.body);
  }

  #sendWhole(
    request: IncomingMessage,
    response: ServerResponse,
    { status, requestId }: SqlResponse,
    type: string,
    body: Buffer,
  ): void {
    if (this.#options.server.drain.isLeaving) response.shouldKeepAlive = false;
    const headers = [...commonHeaders, 'content-type', type, 'content-length', String(body.length)];
    if (status >= 400) {
      const { errors } = this.#options.server;
      headers.push(requestIdHeader, givenRequestId(request.headers) ?? requestId ?? errors.newRequestId());
    }
    response.writeHead(status, headers);
    response.end(body);
  }

  async #sendStream(
    response: ServerResponse,
    status: number,
    type: string,
    parts: AsyncIterable<Buffer>,
  ): Promise<void> {
    const { server, runtime, limits } = this.#options;
    const start = (): void => {
      if (server.drain.isLeaving) response.shouldKeepAlive = false;
      response.writeHead(status, { ...corsHeaders, 'content-type': type });
    };
    await streamBody(response, parts, start, runtime, limits.stallTimeoutMs);
  }
}
