import type { FastifyInstance } from 'fastify';
import type { ApiTokenRecord } from '../../catalog/api-tokens.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { isUnasked } from '../unasked.js';

/** What "never expires" is as a time: the Platform SDK takes the -1 that the CLI understands for "not valid". */
const endOfCalendarUnixSeconds = 253_402_300_799;

const tokenNameParameters = {
  type: 'object',
  properties: { name: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$' } },
} as const;

const newTokenBody = {
  type: 'object',
  additionalProperties: false,
  properties: {
    organization: { type: ['string', 'null'] },
    group: { type: ['string', 'null'] },
    scopes: { type: ['array', 'null'], items: { type: 'string' } },
  },
} as const;

interface NewTokenBody {
  organization?: string | null;
  group?: string | null;
  scopes?: string[] | null;
}

/** Platform tokens and the user they stand for. */
export function registerAuthRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get('/v1/auth/validate', async (request) => ({ exp: request.principal.expiresAtUnixSeconds ?? -1 }));
  app.get('/v1/auth/api-tokens/validate', async (request) => ({
    exp: request.principal.expiresAtUnixSeconds ?? endOfCalendarUnixSeconds,
  }));

  app.get('/v1/auth/api-tokens', async () => ({ tokens: (await context.platformTokens.list()).map(toTokenObject) }));

  const mint = async (name: string, body: NewTokenBody, mintedBy: string): Promise<{ id: string; jwt: string }> => {
    for (const option of ['organization', 'group', 'scopes'] as const) {
      if (isUnasked(body[option])) continue;
      throw new ControlPlaneError(
        'OPTION_NOT_OFFERED',
        `"${option}" is not offered: every platform token has full access to this deployment`,
      );
    }
    const token = await context.platformTokens.mint(name, mintedBy);
    return { id: token.jti, jwt: token.jwt };
  };
  const schema = { params: tokenNameParameters, body: newTokenBody };
  app.post<{ Params: { name: string }; Body: NewTokenBody }>(
    '/v1/auth/api-tokens/:name',
    { schema },
    async (request) => {
      const { name } = request.params;
      const token = await mint(name, request.body, request.principal.tokenId);
      return { name, id: token.id, token: token.jwt };
    },
  );
  app.post<{ Params: { name: string }; Body: NewTokenBody }>(
    '/v2/auth/api-tokens/:name',
    { schema },
    async (request) => {
      const { name } = request.params;
      const token = await mint(name, request.body, request.principal.tokenId);
      return { token: { name, id: token.id, value: token.jwt } };
    },
  );

  app.delete<{ Params: { name: string } }>(
    '/v1/auth/api-tokens/:name',
    { schema: { params: tokenNameParameters } },
    async (request) => ({ token: (await context.platformTokens.revoke(request.params.name)).name }),
  );

  const user = async () => ({
    user: {
      username: context.organization,
      name: context.organization,
      email: '',
      avatarUrl: '',
      plan: 'byoc',
      mfa: false,
      has_pending_invites: false,
    },
  });
  app.get('/v1/user', user);
  app.get('/v1/current-user', user);
  app.post('/v1/auth/invalidate', async () => {
    throw new ControlPlaneError(
      'NOT_OFFERED',
      'revoking all tokens at once is not offered; revoke each with DELETE /v1/auth/api-tokens/{name}',
    );
  });
}

function toTokenObject(token: ApiTokenRecord): { id: string; name: string; created_at: string } {
  return { id: token.id, name: token.name, created_at: new Date(token.createdAtMs).toISOString() };
}
