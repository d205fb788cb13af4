import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
} from 'fastify';
import type { Logger } from 'pino';
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import { AdminRefusal } from '../data-node/admin-client.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';
import { RateLimitError } from '../limits/limiter.js';
import { collectRoutes, openApiDocument, type DocumentedRoute } from '../openapi/openapi-document.js';
import type { ApiContext } from './api-context.js';
import { registerAuditHooks } from './audit-hooks.js';
import { registerCallerHooks } from './caller.js';
import { defineRoute, isPublic } from './define-route.js';
import { parseJsonBody } from './json-body.js';
import { lazyValidators } from '@turso-byoc/data-plane/server/lazy-validators.js';
import { requestIdHeader } from '@turso-byoc/data-plane/server/request-id.js';
import { noteError } from '@turso-byoc/data-plane/server/request-trace.js';
import { requestIdOf, runAsRequest } from './request-id.js';
import { registerAuditRoutes, registerDeploymentAuditRoute } from './routes/audit-routes.js';
import { registerAuthRoutes } from './routes/auth-routes.js';
import { registerDatabaseConfigurationRoutes } from './routes/database-configuration-routes.js';
import { registerDatabaseRoutes } from './routes/database-routes.js';
import { registerDatabaseTokenRoutes } from './routes/database-token-routes.js';
import { registerDeletedDatabaseRoutes } from './routes/deleted-database-routes.js';
import { registerDriftRoutes } from './routes/drift-routes.js';
import { registerFleetRoutes } from './routes/fleet-routes.js';
import { registerDumpRoutes } from './routes/dump-routes.js';
import { registerEncryptionRoutes } from './routes/encryption-routes.js';
import { registerGroupRoutes } from './routes/group-routes.js';
import { registerInviteRoutes } from './routes/invite-routes.js';
import { registerLimitRoutes } from './routes/limit-routes.js';
import { registerLocationRoutes } from './routes/location-routes.js';
import { registerMemberRoutes } from './routes/member-routes.js';
import { registerJwksRoutes } from './routes/jwks-routes.js';
import { registerOrganizationRoutes } from './routes/organization-routes.js';
import { registerPlanRootRoutes, registerPlanRoutes } from './routes/plan-routes.js';
import { registerSignInRoutes } from './routes/sign-in-routes.js';
import { registerUnservedRoutes } from './routes/unserved-routes.js';
import { registerUsageRoutes } from './routes/usage-routes.js';
import { registerBootstrapRoute, registerUserRoutes } from './routes/user-routes.js';
import { anything, object, text } from './schemas.js';
import { registerTraceHook } from './trace-hook.js';

const bodyLimitBytes = 1024 * 1024;
const maxParameterLength = 512;

/** Routes of an organization are there under each of these; without an organization they are about the home one. */
const organizationPrefixes = ['/v1', '/v1/organizations/:organization', '/v3/organizations/:organization'];

export interface PlatformApi {
  readonly app: FastifyInstance;
  /** The OpenAPI document of what `app` serves, once it is ready. */
  readonly document: () => Readonly<Record<string, unknown>>;
}

/**
 * The Platform API as an HTTP server that does not listen yet. Every call is answered in JSON: with status 200 when it
 * succeeded, otherwise with an error of the catalogue.
 */
export function buildPlatformApi(context: ApiContext, logger: Logger): PlatformApi {
  const loggerInstance: FastifyBaseLogger = logger;
  const app = Fastify({
    loggerInstance,
    // One line for each call is written below.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: bodyLimitBytes,
    trustProxy: [...(context.trustedProxies ?? [])],
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: maxParameterLength },
    exposeHeadRoutes: false,
    // Of an address that cannot be read, which no route sees.
    frameworkErrors: (thrown, _request, reply) => {
      const error = toCatalogueError(thrown);
      context.metrics.refused(error.code);
      void sendError(reply, error);
    },
  });
  const routes: DocumentedRoute[] = collectRoutes(app);
  const document = (): Readonly<Record<string, unknown>> => openApiDocument(routes, context.release);
  app.setValidatorCompiler(lazyValidators({ useDefaults: true, allowUnionTypes: true }));
  // Schemas of answers are documentation: what is sent is what the route returns.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => parseJsonBody(body));
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header(requestIdHeader, request.id);
    runAsRequest(request.id, done);
  });
  if (context.tracing) registerTraceHook(app, context.tracing);
  app.addHook('preValidation', async (request) => {
    if (request.method !== 'GET') request.body ??= {};
  });
  app.addHook('onResponse', async (request, reply) => {
    // Load balancers ask every few seconds.
    const route = request.routeOptions.url ?? 'none';
    context.metrics.requestEnded(route, request.method, reply.statusCode, reply.elapsedTime);
    const level = route === '/ready' || route === '/health' ? 'debug' : 'info';
    request.log[level](
      {
        method: request.method,
        route,
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
        traceId: request.trace?.traceId,
      },
      'answered',
    );
  });
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = toCatalogueError(thrown);
    context.metrics.refused(error.code);
    if (request.trace) noteError(request.trace, error.code, error.status);
    if (error.status >= 500 && error.code !== 'NOT_OFFERED') {
      request.log.error({ err: thrown, code: error.code, traceId: request.trace?.traceId }, 'call failed');
      // A call that failed halfway may have left a row to finish.
      context.reconciler.wake();
    }
    if (error instanceof RateLimitError) void reply.header('retry-after', Math.ceil(error.retryAfterMs / 1000));
    return sendError(reply, error);
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new ControlPlaneError(
      'ROUTE_NOT_FOUND',
      `no such route: ${request.method} ${request.url.split('?')[0] ?? ''}`,
    );
    if (request.trace) noteError(request.trace, error.code, error.status);
    return sendError(reply, error);
  });

  // Within a plugin, because a route is collected only when it is registered after the hook is in place.
  void app.register(async (open) => {
    registerAuditHooks(open, context);
    registerPublicRoutes(open, context, document);
    registerSignInRoutes(open, context);
    registerBootstrapRoute(open, context);
  });
  void app.register(async (authenticated) => {
    registerCallerHooks(authenticated, context);
    registerAuditHooks(authenticated, context);
    registerAuthRoutes(authenticated, context);
    registerUserRoutes(authenticated, context);
    registerLimitRoutes(authenticated, context);
    registerDriftRoutes(authenticated, context);
    registerDeploymentAuditRoute(authenticated, context);
    registerLocationRoutes(authenticated, context);
    registerOrganizationRoutes(authenticated, context);
    registerMemberRoutes(authenticated, context);
    registerInviteRoutes(authenticated, context);
    registerPlanRootRoutes(authenticated);
    registerJwksRoutes(authenticated, context);
    for (const prefix of organizationPrefixes) {
      void authenticated.register(
        async (organization) => {
          registerDumpRoutes(organization, context);
          registerDatabaseRoutes(organization, context);
          registerDatabaseConfigurationRoutes(organization, context);
          registerDatabaseTokenRoutes(organization, context);
          registerDeletedDatabaseRoutes(organization, context);
          registerEncryptionRoutes(organization, context);
          registerGroupRoutes(organization, context);
          registerFleetRoutes(organization, context);
          registerUsageRoutes(organization, context);
          registerPlanRoutes(organization, context);
          registerAuditRoutes(organization, context);
          registerUnservedRoutes(organization);
        },
        { prefix },
      );
    }
  });
  return { app, document };
}

/** Clients expect exactly this content type of an error. */
function sendError(reply: FastifyReply, error: ControlPlaneError): FastifyReply {
  const body = Buffer.from(JSON.stringify(errorBody(error)));
  return reply.code(error.status).header('content-type', 'application/json').send(body);
}

function registerPublicRoutes(app: FastifyInstance, context: ApiContext, document: PlatformApi['document']): void {
  defineRoute(app, {
    method: 'GET',
    url: '/health',
    operation: 'getHealth',
    summary: 'Whether the control plane answers.',
    access: isPublic,
    answer: object({ status: text }),
    handler: async () => ({ status: 'ok' }),
  });
  defineRoute(app, {
    method: 'GET',
    url: '/ready',
    operation: 'getReadiness',
    summary: 'Whether calls are welcome: the catalog answers.',
    access: isPublic,
    errors: ['DATA_PLANE_UNAVAILABLE'],
    answer: object({ status: text }),
    handler: async (_request, reply) => {
      if (context.isReady()) return { status: 'ready' };
      // Nothing of it is worth a line in the log each time a load balancer asks.
      return sendError(reply, new ControlPlaneError('DATA_PLANE_UNAVAILABLE', 'the catalog does not answer'));
    },
  });
  // Lower than any release of the CLI, which then never offers to replace itself.
  defineRoute(app, {
    method: 'GET',
    url: '/releases/latest',
    operation: 'getLatestRelease',
    summary: 'A release of the CLI that is older than every real one, so that it does not offer to replace itself.',
    access: isPublic,
    answer: object({ latest: text }),
    handler: async () => ({ latest: 'v0.0.0' }),
  });
  defineRoute(app, {
    method: 'GET',
    url: '/openapi.json',
    operation: 'getOpenApi',
    summary: 'This document.',
    access: isPublic,
    answer: anything,
    handler: async () => document(),
  });
}

function toCatalogueError(error: FastifyError): ControlPlaneError {
  if (isControlPlaneError(error)) return error;
  if (isByocError(error, 'INVALID_NAME')) return new ControlPlaneError('INVALID_NAME', error.message);
  if (error instanceof AdminRefusal && error.code === 'DATABASE_NOT_FOUND') {
    return new ControlPlaneError('DATABASE_NOT_FOUND', error.message);
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ControlPlaneError('REQUEST_TOO_LARGE', `a body may have ${bodyLimitBytes} bytes`);
  }
  const status = error.statusCode ?? 500;
  if (error.validation !== undefined || (status >= 400 && status < 500)) {
    return new ControlPlaneError('MALFORMED_REQUEST', error.message);
  }
  return new ControlPlaneError('INTERNAL', 'internal error', { cause: error });
}
