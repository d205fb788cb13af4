import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseExpiration } from '../../auth/expiration.js';
import { mintedTokenRecord } from '../../catalog/minted-tokens.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { isUnasked } from '../unasked.js';
import { requireDatabase } from './database-routes.js';
import { requireGroup } from './group-routes.js';

const querystring = {
  type: 'object',
  additionalProperties: false,
  properties: {
    expiration: { type: 'string' },
    authorization: { type: 'string', enum: ['', 'full-access', 'read-only'] },
  },
} as const;

const body = {
  type: 'object',
  additionalProperties: false,
  properties: {
    permissions: {
      type: ['object', 'null'],
      additionalProperties: false,
      properties: {
        read_attach: {
          type: ['object', 'null'],
          additionalProperties: false,
          properties: { databases: { type: ['array', 'null'], items: { type: 'string' } } },
        },
      },
    },
    fine_grained_permissions: { type: ['array', 'null'] },
  },
} as const;

interface TokenRoute {
  Querystring: { expiration?: string; authorization?: string };
  Body: {
    permissions?: { read_attach?: { databases?: string[] | null } | null } | null;
    fine_grained_permissions?: unknown[] | null;
  };
}

/** Tokens for one database or for all databases of a group. Each is recorded before it is handed out. */
export function registerDatabaseTokenRoutes(app: FastifyInstance, context: ApiContext): void {
  const schema = { querystring, body };
  app.post<TokenRoute & { Params: { database: string } }>(
    '/databases/:database/auth/tokens',
    { schema },
    async (request) => {
      const database = await requireDatabase(request.params.database, context);
      return mint(request, { kind: 'database', subject: database.uuid });
    },
  );
  app.post<TokenRoute & { Params: { group: string } }>('/groups/:group/auth/tokens', { schema }, async (request) => {
    const group = await requireGroup(request.params.group, context);
    return mint(request, { kind: 'group', subject: group.uuid });
  });

  const mint = async (
    request: FastifyRequest<TokenRoute>,
    target: { readonly kind: 'database' | 'group'; readonly subject: string },
  ): Promise<{ jwt: string }> => {
    const { expiration, authorization } = request.query;
    const { permissions, fine_grained_permissions: fineGrained } = request.body;
    if (!isUnasked(permissions?.read_attach?.databases)) {
      throw new ControlPlaneError('OPTION_NOT_OFFERED', 'tokens that attach other databases are not offered');
    }
    if (!isUnasked(fineGrained)) {
      throw new ControlPlaneError('OPTION_NOT_OFFERED', '"fine_grained_permissions" is not offered yet');
    }
    const token = await context.minter.mint({
      ...target,
      access: authorization === 'read-only' ? 'ro' : 'rw',
      mintedBy: request.principal.tokenId,
      lifetimeSeconds: parseExpiration(expiration),
    });
    await context.catalog.write([mintedTokenRecord(token)]);
    return { jwt: token.jwt };
  };
}
