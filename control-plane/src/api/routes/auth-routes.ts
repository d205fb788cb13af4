import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { parseScopes, type TokenRestriction } from '../../auth/permissions.js';
import type { Principal } from '../../auth/platform-authenticator.js';
import { homeOrganization } from '../../auth/token-holder.js';
import type { ApiTokenRecord } from '../../catalog/api-tokens.js';
import { findGroup } from '../../catalog/groups.js';
import { hasInvites } from '../../catalog/invites.js';
import { organizationsNamed } from '../../catalog/organizations.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { anyToken, defineRoute, mayDo, userToken } from '../define-route.js';
import { anything, input, integer, list, object, orNull, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

/** What "never expires" is as a time: the Platform SDK takes the -1 that the CLI understands for "not valid". */
const endOfCalendarUnixSeconds = 253_402_300_799;

export const tokenName = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$' } as const;
const tokenParameters = { name: tokenName };

const newTokenBody = input({
  organization: orNull(text),
  group: orNull(text),
  scopes: { type: ['array', 'null'], maxItems: 32, items: text },
});

interface NewTokenBody {
  organization?: string | null;
  group?: string | null;
  scopes?: string[] | null;
}

interface TokenRoute {
  Params: { name: string };
  Body: NewTokenBody;
}

const tokenObject = object(
  {
    id: text,
    name: text,
    created_at: text,
    organization: text,
    group: text,
    scopes: list(text),
    owner: object({ username: text, email: text }),
  },
  ['organization', 'group', 'scopes', 'owner'],
);

const userObject = object({
  username: text,
  name: text,
  email: text,
  avatarUrl: text,
  plan: text,
  mfa: { type: 'boolean' },
  has_pending_invites: { type: 'boolean' },
});

/** Platform tokens and the user they stand for. */
export function registerAuthRoutes(app: FastifyInstance, context: ApiContext): void {
  const { platformTokens } = context;

  defineRoute(app, {
    method: 'GET',
    url: '/v1/auth/validate',
    operation: 'validateToken',
    summary: 'When the token of this call expires; -1 stands for never.',
    access: anyToken,
    answer: object({ exp: integer }),
    handler: async ({ principal }) => ({ exp: principal.expiresAtUnixSeconds ?? -1 }),
  });
  defineRoute(app, {
    method: 'GET',
    url: '/v1/auth/api-tokens/validate',
    operation: 'validateApiToken',
    summary: 'When the token of this call expires.',
    access: anyToken,
    answer: object({ exp: integer }),
    handler: async ({ principal }) => ({ exp: principal.expiresAtUnixSeconds ?? endOfCalendarUnixSeconds }),
  });

  defineRoute(app, {
    method: 'GET',
    url: '/v1/auth/api-tokens',
    operation: 'listApiTokens',
    summary: "The user's platform tokens.",
    access: userToken,
    answer: object({ tokens: list(tokenObject) }),
    handler: async ({ principal }) => ({
      tokens: (await platformTokens.list(principal.user.uuid)).map((token) => toTokenObject(token)),
    }),
  });

  const mint = async (name: string, body: NewTokenBody, principal: Principal): Promise<{ id: string; jwt: string }> => {
    const restriction = await readRestriction(body, principal, context);
    const token = await platformTokens.mint({
      userUuid: principal.user.uuid,
      name,
      mintedBy: principal.tokenId,
      ...(restriction && { restriction }),
    });
    noteInAudit({ jti: token.jti, ...restriction });
    return { id: token.jti, jwt: token.jwt };
  };
  defineRoute<TokenRoute>(app, {
    method: 'POST',
    url: '/v1/auth/api-tokens/:name',
    operation: 'createApiToken',
    summary: 'Mints a platform token: for all that the user may do, for one organization, or for scopes of one group.',
    access: userToken,
    errors: ['API_TOKEN_EXISTS', 'GROUP_NOT_FOUND', 'ORGANIZATION_NOT_FOUND', 'SCOPES_INVALID'],
    audit: 'user-token-create',
    params: tokenParameters,
    body: newTokenBody,
    answer: object({ name: text, id: text, token: text }),
    handler: async ({ params: { name }, body, principal }) => {
      const token = await mint(name, body, principal);
      return { name, id: token.id, token: token.jwt };
    },
  });
  defineRoute<TokenRoute>(app, {
    method: 'POST',
    url: '/v2/auth/api-tokens/:name',
    operation: 'createApiTokenForCli',
    summary: 'The same, in the shape that the CLI reads.',
    access: userToken,
    errors: ['API_TOKEN_EXISTS', 'GROUP_NOT_FOUND', 'ORGANIZATION_NOT_FOUND', 'SCOPES_INVALID'],
    audit: 'user-token-create',
    params: tokenParameters,
    body: newTokenBody,
    answer: object({ token: object({ name: text, id: text, value: text }) }),
    handler: async ({ params: { name }, body, principal }) => {
      const token = await mint(name, body, principal);
      return { token: { name, id: token.id, value: token.jwt } };
    },
  });
  defineRoute<{ Params: { name: string } }>(app, {
    method: 'DELETE',
    url: '/v1/auth/api-tokens/:name',
    operation: 'revokeApiToken',
    summary: 'Revokes a platform token of the user, by name or id.',
    access: userToken,
    errors: ['API_TOKEN_NOT_FOUND'],
    audit: 'user-token-revoke',
    params: tokenParameters,
    body: anything,
    answer: object({ token: text }),
    handler: async ({ params: { name }, principal }) => ({
      token: (await platformTokens.revoke(principal.user.uuid, name)).name,
    }),
  });
  defineRoute(app, {
    method: 'POST',
    url: '/v1/auth/invalidate',
    operation: 'revokeAllApiTokens',
    summary: 'Revokes every platform token of the user that was minted before now, this one included.',
    access: userToken,
    audit: 'user-token-revoke-all',
    body: anything,
    answer: object({ ValidFrom: integer }),
    handler: async ({ principal }) => ({
      ValidFrom: Math.ceil((await platformTokens.revokeAll(principal.user.uuid)) / 1000),
    }),
  });

  const organizationTokens = '/v1/organizations/:organization/api-tokens';
  defineRoute(app, {
    method: 'GET',
    url: organizationTokens,
    operation: 'listOrganizationApiTokens',
    summary: 'The platform tokens of all members that are restricted to the organization.',
    access: mayDo('tokens:manage'),
    answer: object({ tokens: list(tokenObject) }),
    handler: async ({ organization }) => ({
      tokens: (await platformTokens.listOfOrganization(organization)).map((token) => ({
        ...toTokenObject(token),
        owner: { username: token.owner.username, email: token.owner.email },
        created_at: new Date(token.createdAtMs).toISOString().slice(0, 10),
      })),
    }),
  });
  defineRoute<{ Params: { token: string } }>(app, {
    method: 'DELETE',
    url: `${organizationTokens}/:token`,
    operation: 'revokeOrganizationApiToken',
    summary: 'Revokes a platform token that is restricted to the organization.',
    access: mayDo('tokens:manage'),
    errors: ['API_TOKEN_NOT_FOUND'],
    audit: 'organization-token-revoke',
    body: anything,
    answer: object({ token: text }),
    handler: async ({ organization, params }) => ({
      token: (await platformTokens.revokeInOrganization(organization, params.token)).id,
    }),
  });

  for (const [url, operation] of [
    ['/v1/user', 'getUser'],
    ['/v1/current-user', 'getCurrentUser'],
  ] as const) {
    defineRoute(app, {
      method: 'GET',
      url,
      operation,
      summary: 'The user that the token stands for.',
      access: anyToken,
      answer: object({ user: userObject }),
      handler: async ({ principal: { user } }) => ({
        user: {
          username: user.username,
          name: user.name,
          email: user.email,
          avatarUrl: '',
          plan: 'byoc',
          mfa: false,
          has_pending_invites: await hasInvites(context.catalog, user.email),
        },
      }),
    });
  }
}

/**
 * What a new token is to be restricted to; undefined when to nothing. Throws `ORGANIZATION_NOT_FOUND`, `GROUP_NOT_FOUND`,
 * `SCOPES_INVALID`.
 */
async function readRestriction(
  body: NewTokenBody,
  principal: Principal,
  context: ApiContext,
): Promise<TokenRestriction | undefined> {
  const { organization: asked, group: groupName, scopes } = body;
  if (isUnasked(asked) && isUnasked(groupName)) {
    if (isUnasked(scopes)) return undefined;
    throw new ControlPlaneError(
      'SCOPES_INVALID',
      'scopes are for tokens of one group; name "organization" and "group"',
    );
  }
  const slug = isUnasked(asked) ? homeOrganization(principal) : asked;
  if (typeof slug !== 'string' || !principal.memberships.has(slug)) {
    throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
  }
  const [found] = await organizationsNamed(context.catalog, [slug]);
  if (found === undefined) throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
  if (typeof groupName !== 'string' || groupName === '') {
    if (isUnasked(scopes)) return { organization: slug };
    throw new ControlPlaneError('SCOPES_INVALID', 'scopes are for tokens of one group; name "group", too');
  }
  const group = await findGroup(context.catalog, slug, groupName);
  if (group === undefined) throw new ControlPlaneError('GROUP_NOT_FOUND', 'group not found');
  return { organization: slug, group: { uuid: group.uuid, scopes: parseScopes(scopes ?? []) } };
}

function toTokenObject({ id, name, createdAtMs, restriction }: ApiTokenRecord) {
  return {
    id,
    name,
    created_at: new Date(createdAtMs).toISOString(),
    ...(restriction && { organization: restriction.organization }),
    ...(restriction?.group && {
      group: restriction.groupName ?? restriction.group.uuid,
      scopes: restriction.group.scopes,
    }),
  };
}
