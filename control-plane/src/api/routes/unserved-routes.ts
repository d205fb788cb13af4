import type { FastifyInstance, HTTPMethods } from 'fastify';
import { ControlPlaneError } from '../../errors/catalogue.js';

/**
 * Calls of the Platform API that this release does not offer, relative to an organization. They are answered by name,
 * so that nobody mistakes a missing feature for a wrong address, and never with made-up values.
 */
const unserved: readonly [HTTPMethods, string][] = [
  ['GET', '/databases/:database/configuration'],
  ['PATCH', '/databases/:database/configuration'],
  ['POST', '/databases/:database/instances'],
  ['DELETE', '/databases/:database/instances/:instance'],
  ['GET', '/databases/:database/usage'],
  ['GET', '/databases/:database/usage/queries'],
  ['GET', '/databases/:database/stats'],
  ['POST', '/databases/:database/auth/rotate'],
  ['POST', '/databases/:database/transfer'],
  ['POST', '/databases/:database/wakeup'],
  ['POST', '/databases/:database/seed'],
  ['POST', '/databases/dumps'],
  ['GET', '/groups/:group/configuration'],
  ['PATCH', '/groups/:group/configuration'],
  ['POST', '/groups/:group/auth/rotate'],
  ['POST', '/groups/:group/transfer'],
  ['POST', '/groups/:group/unarchive'],
  ['POST', '/groups/:group/rename'],
  ['POST', '/groups/:group/locations/:location'],
  ['DELETE', '/groups/:group/locations/:location'],
  ['GET', '/groups/:group/aws/migration/info'],
  ['POST', '/groups/:group/aws/migration/start'],
  ['POST', '/groups/:group/aws/migration/abort'],
  ['POST', '/members'],
  ['POST', '/members/:username'],
  ['PATCH', '/members/:username'],
  ['DELETE', '/members/:username'],
  ['GET', '/audit-logs'],
  ['GET', '/api-tokens'],
  ['GET', '/usage'],
  ['GET', '/subscription'],
  ['POST', '/subscription'],
];

/** The same, relative to the root. */
const unservedAtRoot: readonly [HTTPMethods, string][] = [
  ['POST', '/v1/organizations'],
  ['GET', '/v1/plans'],
  ['POST', '/v2/organizations/:organization/invites'],
  ['DELETE', '/v2/organizations/:organization/invites/:email'],
  ['GET', '/v2/organizations/:organization/jwks'],
  ['GET', '/v2/organizations/:organization/jwks-template'],
  ['PUT', '/v2/organizations/:organization/jwks/:name'],
  ['DELETE', '/v2/organizations/:organization/jwks/:name'],
];

/** Answers each call that is relative to an organization with `NOT_OFFERED`. */
export function registerUnservedRoutes(app: FastifyInstance): void {
  for (const [method, url] of unserved) registerUnserved(app, method, url);
}

/** Answers the others with `NOT_OFFERED`. */
export function registerUnservedRootRoutes(app: FastifyInstance): void {
  for (const [method, url] of unservedAtRoot) registerUnserved(app, method, url);
}

function registerUnserved(app: FastifyInstance, method: HTTPMethods, url: string): void {
  const call = `${method} ${url.replace(/:(\w+)/g, '{$1}')}`;
  app.route({
    method,
    url,
    handler: async () => {
      throw new ControlPlaneError('NOT_OFFERED', `${call} is not offered yet`);
    },
  });
}
