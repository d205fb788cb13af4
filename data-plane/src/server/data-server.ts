import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { IssuerKeys } from '../auth/issuer-keys.js';
import { IssuerTokens } from '../auth/issuer-tokens.js';
import type { PublishedRules } from '../auth/published-rules.js';
import type { TokenVerifier } from '../auth/token-verifier.js';
import type { DatabaseService } from '../database/database-service.js';
import { ByocError } from '../errors/catalogue.js';
import { MemoryBudget } from '../memory-budget.js';
import type { Metrics } from '../metering/metrics.js';
import type { Runtime } from '../runtime.js';
import type { Tracing } from '../tracing/tracing.js';
import { ClientOrigins } from './client-origins.js';
import { registerPreflight } from './cors.js';
import { DatabaseAccess } from './database-access.js';
import type { Drain } from './drain.js';
import { FastLane } from './fast-lane.js';
import { defaultHttpLimits, type HttpLimits } from './http-limits.js';
import { FileEndpoint } from './file-endpoint.js';
import { fileRoutes } from './file-routes.js';
import { createHttpServer } from './http-server.js';
import { sendJson, sendText } from './plain-replies.js';
import { parseRequestTarget } from './request-target.js';
import { SqlEndpoint } from './sql-endpoint.js';
import { sqlRoutes } from './sql-routes.js';
import { WebSocketEndpoint } from './web-socket/web-socket-endpoint.js';
import type { WebSocketLimits } from './web-socket/web-socket-limits.js';

export interface DataServerOptions {
  readonly databases: DatabaseService;
  readonly tokens: TokenVerifier;
  readonly rules: PublishedRules;
  readonly metrics: Metrics;
  readonly runtime: Runtime;
  readonly log: Logger;
  /** What `GET /version` answers. */
  readonly version: string;
  /** Why a load balancer should send no requests here now; `GET /ready` answers 503 with it. Undefined = it should. */
  readonly notReadyBecause: () => string | undefined;
  readonly limits?: Partial<HttpLimits>;
  readonly webSocketLimits?: Partial<WebSocketLimits>;
  /** Knows where clients are. @default believes no proxy and no other node */
  readonly origins?: ClientOrigins;
  /** Tokens of issuers outside the deployment. @default none are taken */
  readonly issuers?: IssuerTokens;
  /** Connections of trusted proxies begin with a header of the PROXY protocol. @default false */
  readonly proxyProtocol?: boolean;
  /** Shared with whoever makes the server leave before it closes. @default one of its own */
  readonly drain?: Drain;
  /** @default nothing is traced */
  readonly tracing?: Tracing | undefined;
}

/**
 * The face that SQL clients see: Hrana over HTTP, versions 2 and 3 in JSON, version 3 in Protobuf; and over WebSockets. A database is addressed by the first label
 * of the host (`<database>-<organization>.…`) or by a path prefix, `/db/<database>-<organization>`, which wins.
 *
 * Returns a Fastify instance that is not listening. `close()` resolves when running requests are finished, at the latest
 * after `drainTimeoutMs`.
 */
export function createDataServer(options: DataServerOptions): FastifyInstance {
  const limits = { ...defaultHttpLimits, ...options.limits };
  const { log, metrics, runtime, databases } = options;
  const server = createHttpServer({
    directPosts: new Map(
      sqlRoutes.map(([path, kind]) => [
        path,
        // Nothing comes before the server listens, and then the endpoint is there.
        (target, request, response) => endpoint.handle(kind, target, request, response),
      ]),
    ),
    log,
    metrics,
    runtime,
    limits,
    ...(options.drain && { drain: options.drain }),
    routes: (app, { errors }) => {
      // Bodies are for the SQL routes, which read them themselves; here they are left unread.
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('*', (_request, _payload, done) => done(null));
      registerPreflight(app);
      for (const path of ['/v2', '/v3', '/v3-protobuf']) app.get(path, (_request, reply) => sendText(reply, ''));
      app.get('/dump', (request, reply) => {
        reply.hijack();
        const target = parseRequestTarget(request.originalUrl);
        const preserves = ['', '1', 'true'].includes(
          new URLSearchParams(target.query).get('preserve_row_ids') ?? 'false',
        );
        const body = Buffer.from(JSON.stringify({ preserve_row_ids: preserves }));
        endpoint.handle('dump', target, request.raw, reply.raw, body);
        return reply;
      });
      for (const { kind, method, path } of fileRoutes) {
        app.route<{ Params: Record<string, string> }>({
          method,
          url: path,
          handler: (request, reply) => {
            reply.hijack();
            files.handle(kind, request.params, parseRequestTarget(request.originalUrl), request.raw, reply.raw);
            return reply;
          },
        });
      }
      app.post('/v1/upload', (request, reply) => {
        reply.hijack();
        files.handleWholeFile(parseRequestTarget(request.originalUrl), request.raw, reply.raw);
        return reply;
      });
      app.get('/version', (_request, reply) => sendText(reply, options.version));
      app.get('/health', (_request, reply) => sendJson(reply, { status: 'ok' }));
      app.get('/ready', (request, reply) => {
        const why = options.notReadyBecause();
        if (why === undefined) return sendJson(reply, { status: 'ready' });
        reply.hijack();
        errors.send(request.raw, reply.raw, new ByocError('NOT_READY', `this node does not take requests now: ${why}`));
        return reply;
      });
    },
  });
  const origins =
    options.origins ??
    new ClientOrigins({ trustedProxies: [], adminCredential: randomBytes(32).toString('hex'), runtime });
  const issuers =
    options.issuers ?? new IssuerTokens({ keys: new IssuerKeys({ allowedOrigins: [], runtime, log }), runtime });
  const endpointOptions = {
    server,
    access: new DatabaseAccess(options.tokens, databases, options.rules, origins, issuers),
    origins,
    proxyProtocol: options.proxyProtocol ?? false,
    databases,
    metrics,
    runtime,
    log,
    limits,
    budget: new MemoryBudget(limits.maxBufferedBodyBytes, 'the bodies of running requests'),
    tracing: options.tracing,
  };
  const endpoint = new SqlEndpoint(endpointOptions);
  const files = new FileEndpoint(endpointOptions);
  new FastLane(endpointOptions, new Map(sqlRoutes)).attach();
  const sockets = new WebSocketEndpoint({
    ...endpointOptions,
    ...(options.webSocketLimits && { webSocketLimits: options.webSocketLimits }),
  });
  sockets.attach();
  metrics.databases.webSockets.watch(() => sockets.size);
  return server.app;
}
