/** Who calls, what about, and whether that is allowed: hooks that run before every route. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { assertPermitted } from '../auth/permissions.js';
import type { Principal } from '../auth/platform-authenticator.js';
import { homeOrganization } from '../auth/token-holder.js';
import { findOrganization } from '../catalog/organizations.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { ApiContext } from './api-context.js';
import type { Access } from './define-route.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; set before any route that is not public runs. */
    principal: Principal;
    /** Slug of the organization that the call is about; set before any route of an organization runs. */
    organization: string;
  }
}

/** Lets callers in and decides what they may call. */
export function registerCallerHooks(app: FastifyInstance, context: ApiContext): void {
  app.addHook('onRequest', async (request) => {
    request.principal = await context.authenticator.authenticate(request.headers.authorization);
  });
  app.addHook('preValidation', async (request) => {
    const route = request.routeOptions.config.route;
    // Only what nobody declared has none: the answer to an unknown address.
    if (route === undefined) return;
    await context.limiter.assertRate([{ scope: 'token', subject: request.principal.tokenId }]);
    await admit(request, route.access, context);
  });
}

async function admit(request: FastifyRequest, access: Access, context: ApiContext): Promise<void> {
  const { principal } = request;
  if (access.kind === 'public' || access.kind === 'authenticated') return;
  if (access.kind !== 'organization') {
    if (principal.restriction !== undefined) {
      throw new ControlPlaneError('USER_TOKEN_NEEDED', 'a token for one organization or group may not do this');
    }
    if (access.kind === 'operator' && !principal.user.isOperator) {
      throw new ControlPlaneError('OPERATOR_ONLY', 'only operators of the deployment may do this');
    }
    return;
  }
  const { organization: named } = request.params as { organization?: string };
  const slug = named === undefined ? homeOrganization(principal) : await slugOf(named, principal, context);
  const role = slug === undefined ? undefined : principal.memberships.get(slug);
  const only = principal.restriction?.organization;
  // Whether there is such an organization is not for everybody to know.
  if (slug === undefined || role === undefined || (only !== undefined && only !== slug)) {
    throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
  }
  assertPermitted(access.permission, role, principal.restriction);
  request.organization = slug;
  await context.limiter.assertRate([{ scope: 'organization', subject: slug }]);
}

/** The slug of the organization that a path names by slug or uuid, if the caller is a member. */
async function slugOf(named: string, { memberships }: Principal, context: ApiContext): Promise<string | undefined> {
  if (memberships.has(named)) return named;
  return (await findOrganization(context.catalog, named))?.slug;
}
