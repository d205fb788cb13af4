import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ByocError } from '../errors/catalogue.js';
import { statusClass, type Metrics } from '../metering/metrics.js';
import type { Runtime } from '../runtime.js';
import type { Tracing } from '../tracing/tracing.js';
import { answerClientError } from './client-errors.js';
import { Drain } from './drain.js';
import { ErrorResponder } from './error-responder.js';
import type { HttpLimits } from './http-limits.js';
import { lazyValidators } from './lazy-validators.js';
import { parseRequestTarget, type RequestTarget } from './request-target.js';
import { beginTrace, endTrace } from './request-trace.js';
import { onResponseEnd } from './response-end.js';
import { withoutTokens } from './without-tokens.js';

export type DirectHandler = (target: RequestTarget, request: IncomingMessage, response: ServerResponse) => void;

export interface HttpServerOptions {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly runtime: Runtime;
  readonly limits: HttpLimits;
  /** POST routes served past the framework, by path: it costs more than all the rest of a short request. */
  readonly directPosts?: ReadonlyMap<string, DirectHandler>;
  /** @default one of its own */
  readonly drain?: Drain;
  /** Makes a span of each request of the routes; absent where what is to be traced does so itself. */
  readonly tracing?: Tracing | undefined;
  /** Adds the routes, in a context that counts and drains their requests and answers unknown ones. */
  readonly routes: (app: FastifyInstance, server: HttpServer) => void;
}

export interface HttpServer {
  /** Not listening yet; `app.listen` and `app.close` are the caller's. */
  readonly app: FastifyInstance;
  readonly errors: ErrorResponder;
  readonly drain: Drain;
  /** `run` is called when the server gives up the connections that are left; those it does not know of itself are the caller's. */
  readonly onCutOff: (run: () => void) => void;
}

/**
 * A Fastify instance whose every failure, of the framework's own making too, is an error of the catalogue in JSON, and
 * which closes gracefully: it stops accepting, answers what still comes on kept connections with SHUTTING_DOWN,
 * finishes what runs, and then closes.
 */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { log, metrics, runtime, limits, tracing } = options;
  const errors = new ErrorResponder(log, metrics, runtime);
  const drain = options.drain ?? new Drain();
  const app = Fastify({
    logger: false,
    // Closing waits for requests that are under way, within limits of its own.
    pluginTimeout: 0,
    // Routes see the normal form of the target; `request.originalUrl` is what the client sent.
    rewriteUrl: (request) => {
      const target = parseRequestTarget(request.url ?? '/');
      return target.query === '' ? target.path : target.path + target.query;
    },
    bodyLimit: limits.maxBodyBytes,
    // Refused below instead, in the words of the catalogue.
    return503OnClosing: false,
    serverFactory: (handler) =>
      createServer(
        {
          maxHeaderSize: limits.maxHeaderBytes,
          headersTimeout: limits.headersTimeoutMs,
          requestTimeout: limits.requestTimeoutMs,
          keepAliveTimeout: limits.keepAliveTimeoutMs,
          connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
          // A database may be named by the path alone; and a refusal of Node's own would have no JSON body.
          requireHostHeader: false,
        },
        (request, response) => {
          const target = request.method === 'POST' ? parseRequestTarget(request.url ?? '/') : undefined;
          const direct = target && options.directPosts?.get(target.path);
          if (direct) direct(target, request, response);
          else handler(request, response);
        },
      ),
    frameworkErrors: (error, request, reply) => {
      reply.hijack();
      errors.send(request.raw, reply.raw, error);
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, log, errors.newRequestId()),
  });
  // What a schema does not allow is refused, not repaired.
  app.setValidatorCompiler(lazyValidators({}));
  const cutOff: (() => void)[] = [];
  const server: HttpServer = { app, errors, drain, onCutOff: (run) => cutOff.push(run) };
  app.server.maxConnections = limits.maxConnections;
  // An expectation that nobody knows may be ignored (RFC 9110, 10.1.1); Node would refuse it without a body.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    errors.send(request.raw, reply.raw, error, {}, tracing?.current());
  });
  app.addHook('preClose', async () => close(server, runtime, limits, cutOff));
  app.register((routes, _options, done) => {
    routes.addHook('onRequest', (request, reply, next) => {
      if (drain.state === 'closing') {
        reply.hijack();
        errors.send(request.raw, reply.raw, shuttingDown());
        return;
      }
      const startedAtMs = runtime.monotonicMs();
      const kind = `${request.method} ${request.routeOptions.url ?? 'none'}`;
      const trace = tracing && beginTrace(tracing, kind, request.headers);
      drain.enter();
      onResponseEnd(request.raw, reply.raw, () => {
        drain.leave();
        endTrace(trace, reply.raw.writableFinished ? reply.raw.statusCode : undefined);
        const status = reply.raw.writableFinished ? statusClass(reply.raw.statusCode) : 'aborted';
        metrics.requestEnded('other', status, runtime.monotonicMs() - startedAtMs);
      });
      if (trace) trace.run(next);
      else next();
    });
    routes.setNotFoundHandler((request, reply) => {
      reply.hijack();
      const { path } = parseRequestTarget(request.originalUrl);
      const isServed = (method: string): boolean =>
        app.hasRoute({ method, url: path }) || (method === 'POST' && options.directPosts?.has(path) === true);
      const allowed = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'].filter(isServed);
      if (allowed.length === 0) {
        errors.send(
          request.raw,
          reply.raw,
          new ByocError('ROUTE_NOT_FOUND', `there is no route ${withoutTokens(path)}`),
        );
        return;
      }
      const refusal = new ByocError('METHOD_NOT_ALLOWED', `${withoutTokens(path)} does not take ${request.method}`);
      errors.send(request.raw, reply.raw, refusal, { allow: [...allowed, 'OPTIONS'].join(', ') });
    });
    options.routes(routes, server);
    done();
  });
  return server;
}

export function shuttingDown(): ByocError {
  return new ByocError('SHUTTING_DOWN', 'this node is stopping');
}

async function close(
  { app, drain }: HttpServer,
  runtime: Runtime,
  limits: HttpLimits,
  cutOff: readonly (() => void)[],
): Promise<void> {
  const empty = drain.close();
  if (!app.server.listening) return;
  // Not `app.server.close()`, which would cut off the idle connections at once, and with them the requests on their way.
  NetServer.prototype.close.call(app.server);
  let cancel = (): void => undefined;
  await Promise.race([
    empty,
    new Promise<void>((resolve) => {
      cancel = runtime.schedule(limits.drainTimeoutMs, resolve);
    }),
  ]);
  cancel();
  await runtime.sleep(limits.closeGraceMs);
  app.server.closeAllConnections();
  for (const run of cutOff) run();
  // Whoever was cut off hears of it before this server counts as closed.
  await empty;
}
