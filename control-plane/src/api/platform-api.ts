import Fastify, { LogController, type FastifyBaseLogger, type FastifyError, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { Principal } from '../auth/platform-authenticator.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';
import type { ApiContext } from './api-context.js';
import { assertOrganization } from './assert-organization.js';
import { parseJsonBody } from './json-body.js';
import { registerAuthRoutes } from './routes/auth-routes.js';
import { registerDatabaseRoutes } from './routes/database-routes.js';
import { registerDatabaseTokenRoutes } from './routes/database-token-routes.js';
import { registerDeletedDatabaseRoutes } from './routes/deleted-database-routes.js';
import { registerGroupRoutes } from './routes/group-routes.js';
import { registerLocationRoutes } from './routes/location-routes.js';
import { registerOrganizationRoutes } from './routes/organization-routes.js';
import { registerUnservedRootRoutes, registerUnservedRoutes } from './routes/unserved-routes.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; set before any route of the Platform API runs. */
    principal: Principal;
  }
}

const bodyLimitBytes = 1024 * 1024;

/**
 * The Platform API as an HTTP server that does not listen yet. Every call is answered in JSON: with status 200 when it
 * succeeded, otherwise with an error of the catalogue.
 */
export function buildPlatformApi(context: ApiContext, logger: Logger): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = logger;
  const app = Fastify({
    loggerInstance,
    // One line for each call is written below.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    routerOptions: { ignoreTrailingSlash: true },
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, allowUnionTypes: true } },
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => parseJsonBody(body));
  app.addHook('preValidation', async (request) => {
    if (request.method !== 'GET') request.body ??= {};
  });
  app.addHook('onResponse', async (request, reply) => {
    // Load balancers ask every few seconds.
    const level = request.routeOptions.url === '/ready' || request.routeOptions.url === '/health' ? 'debug' : 'info';
    request.log[level](
      {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime),
      },
      'answered',
    );
  });
  app.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = toCatalogueError(thrown);
    if (error.status >= 500 && error.code !== 'NOT_OFFERED') {
      request.log.error({ err: thrown, code: error.code }, 'call failed');
      // A call that failed halfway may have left a row to finish.
      context.reconciler.wake();
    }
    return reply.code(error.status).type('application/json').send(errorBody(error));
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new ControlPlaneError(
      'ROUTE_NOT_FOUND',
      `no such route: ${request.method} ${request.url.split('?')[0] ?? ''}`,
    );
    return reply.code(error.status).type('application/json').send(errorBody(error));
  });

  app.get('/health', async () => ({ status: 'ok' }));
  app.get('/ready', async (_request, reply) => {
    if (context.isReady()) return { status: 'ready' };
    const error = new ControlPlaneError('DATA_PLANE_UNAVAILABLE', 'the catalog does not answer');
    return reply.code(error.status).send(errorBody(error));
  });
  // Lower than any release of the CLI, which then never offers to replace itself.
  app.get('/releases/latest', async () => ({ latest: 'v0.0.0' }));
  void app.register(async (authenticated) => {
    authenticated.addHook('onRequest', async (request) => {
      request.principal = await context.authenticator.authenticate(request.headers.authorization);
    });
    registerAuthRoutes(authenticated, context);
    registerLocationRoutes(authenticated, context);
    registerOrganizationRoutes(authenticated, context);
    registerUnservedRootRoutes(authenticated);
    for (const prefix of ['/v1', '/v1/organizations/:organization']) {
      void authenticated.register(
        async (organization) => {
          organization.addHook('preValidation', async (request) => {
            assertOrganization(request.params, context.organization);
          });
          registerDatabaseRoutes(organization, context);
          registerDatabaseTokenRoutes(organization, context);
          registerDeletedDatabaseRoutes(organization, context);
          registerGroupRoutes(organization, context);
          registerUnservedRoutes(organization);
        },
        { prefix },
      );
    }
  });
  return app;
}

function toCatalogueError(error: FastifyError): ControlPlaneError {
  if (isControlPlaneError(error)) return error;
  if (isByocError(error, 'INVALID_NAME')) return new ControlPlaneError('INVALID_NAME', error.message);
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new ControlPlaneError('REQUEST_TOO_LARGE', `a body may have ${bodyLimitBytes} bytes`);
  }
  const status = error.statusCode ?? 500;
  if (error.validation !== undefined || (status >= 400 && status < 500)) {
    return new ControlPlaneError('MALFORMED_REQUEST', error.message);
  }
  return new ControlPlaneError('INTERNAL', 'internal error', { cause: error });
}
