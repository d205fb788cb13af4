import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseTablePermissions } from '@turso-byoc/data-plane/auth/table-permissions.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { parseExpiration } from '../../auth/expiration.js';
import type { MintedToken } from '../../auth/token-minter.js';
import {
  generationsOf,
  nextGeneration,
  revokeMintedToken,
  tokensInForce,
  type IssuedToken,
} from '../../catalog/access-rules.js';
import { mintedTokenRecord } from '../../catalog/minted-tokens.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, ofPublishing } from '../define-route.js';
import { requireDatabase, requireGroup } from '../named-resources.js';
import { anything, empty, input, list, object, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

const query = input({
  expiration: text,
  authorization: { type: 'string', enum: ['', 'full-access', 'read-only'] },
});

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
    fine_grained_permissions: {
      type: ['array', 'null'],
      description: 'What the token permits, table by table; docs/access.md.',
    },
  },
} as const;

interface TokenRoute {
  Querystring: { expiration?: string; authorization?: string };
  Body: {
    permissions?: { read_attach?: { databases?: string[] | null } | null } | null;
    fine_grained_permissions?: unknown[] | null;
  };
}

/** Of the tokens that are listed, at most. */
const maxListed = 1_000;
const issuedToken = object(
  {
    id: text,
    access: text,
    minted_by: text,
    created_at: text,
    expires_at: text,
    fine_grained_permissions: list(anything),
  },
  ['expires_at', 'fine_grained_permissions'],
);

/** What tokens are for: a database with its group, or a group. */
interface Target {
  readonly kind: 'database' | 'group';
  readonly subject: string;
  /** Of a database. */
  readonly group?: string;
}

/**
 * Tokens for one database or for all databases of a group. Each is recorded before it is handed out. Rotation ends all
 * tokens of a database, or of a group and its databases; single ones can be revoked, too. Data nodes follow within ten
 * seconds.
 */
export function registerDatabaseTokenRoutes(app: FastifyInstance, context: ApiContext): void {
  const kinds = [
    {
      path: '/databases/:database/auth',
      name: 'Database',
      right: 'db',
      missing: 'DATABASE_NOT_FOUND',
      target: async (request: FastifyRequest): Promise<Target> => {
        const { database } = request.params as { database: string };
        const { uuid, group } = await requireDatabase(request, database, context);
        return { kind: 'database', subject: uuid, group: group.uuid };
      },
    },
    {
      path: '/groups/:group/auth',
      name: 'Group',
      right: 'group',
      missing: 'GROUP_NOT_FOUND',
      target: async (request: FastifyRequest): Promise<Target> => {
        const { group } = request.params as { group: string };
        return { kind: 'group', subject: (await requireGroup(request, group, context)).uuid };
      },
    },
  ] as const;
  for (const { path, name, right, missing, target } of kinds) {
    defineRoute<TokenRoute>(app, {
      method: 'POST',
      url: `${path}/tokens`,
      operation: `create${name}Token`,
      summary: 'Mints a token for SQL clients.',
      access: mayDo(`${right}:mint-token`),
      errors: [missing, 'INVALID_EXPIRATION', 'OPTION_NOT_OFFERED', 'PERMISSIONS_INVALID'],
      audit: `${right}-token-create`,
      query,
      body,
      answer: object({ jwt: text }),
      handler: async (request) => ({ jwt: (await mint(request, await target(request))).jwt }),
    });
    defineRoute(app, {
      method: 'GET',
      url: `${path}/tokens`,
      operation: `list${name}Tokens`,
      summary: 'The tokens that are in force, the last minted first: who minted them, not the tokens themselves.',
      access: mayDo(`${right}:mint-token`),
      errors: [missing],
      answer: object({ tokens: list(issuedToken) }),
      handler: async (request) => {
        const { subject } = await target(request);
        const tokens = await tokensInForce(context.catalog, subject, context.clock.now(), maxListed);
        return { tokens: tokens.map(toTokenObject) };
      },
    });
    defineRoute<{ Params: { token: string } }>(app, {
      method: 'DELETE',
      url: `${path}/tokens/:token`,
      operation: `revoke${name}Token`,
      summary: 'Revokes one token, by id.',
      access: mayDo(`${right}:rotate-creds`),
      errors: [missing, 'TOKEN_NOT_FOUND', ...ofPublishing],
      audit: `${right}-token-revoke`,
      body: anything,
      answer: object({ token: text }),
      handler: async (request) => {
        const { subject } = await target(request);
        const { token } = request.params;
        if (!(await revokeMintedToken(context.catalog, subject, token, context.clock.now()))) {
          throw new ControlPlaneError('TOKEN_NOT_FOUND', `could not find token ${token}`);
        }
        await context.accessRules.publish();
        return { token };
      },
    });
    defineRoute(app, {
      method: 'POST',
      url: `${path}/rotate`,
      operation: `rotate${name}Tokens`,
      summary: 'Ends every token that was minted before.',
      access: mayDo(`${right}:rotate-creds`),
      errors: [missing, ...ofPublishing],
      audit: `${right}-token-rotate`,
      body: anything,
      answer: empty,
      handler: async (request) => {
        const { subject } = await target(request);
        noteInAudit({ id: subject });
        await context.catalog.write(nextGeneration([subject]));
        context.lifecycle.reached('rotation-recorded', (request.params as { database?: string }).database ?? '');
        await context.accessRules.publish();
        context.lifecycle.reached('rotation-published', (request.params as { database?: string }).database ?? '');
        return {};
      },
    });
  }

  const mint = async (request: FastifyRequest<TokenRoute>, target: Target): Promise<MintedToken> => {
    const { expiration, authorization } = request.query;
    const { permissions, fine_grained_permissions: fineGrained } = request.body;
    if (!isUnasked(permissions?.read_attach?.databases)) {
      throw new ControlPlaneError('OPTION_NOT_OFFERED', 'tokens that attach other databases are not offered');
    }
    const tablePermissions = isUnasked(fineGrained) ? undefined : parseTablePermissions(fineGrained);
    if (typeof tablePermissions === 'string') {
      throw new ControlPlaneError('PERMISSIONS_INVALID', `"fine_grained_permissions": ${tablePermissions}`);
    }
    const { kind, subject, group } = target;
    const lifetimeSeconds = parseExpiration(expiration);
    const generations = await generationsOf(context.catalog, subject, ...(group === undefined ? [] : [group]));
    const token = await context.minter.mint({
      kind,
      subject,
      access: authorization === 'read-only' ? 'ro' : 'rw',
      ...(tablePermissions && { permissions: tablePermissions }),
      mintedBy: request.principal.tokenId,
      lifetimeSeconds,
      generation: generations.get(subject) ?? 0,
      groupGeneration: (group === undefined ? undefined : generations.get(group)) ?? 0,
    });
    noteInAudit({
      id: subject,
      jti: token.jti,
      access: token.access,
      expiration: expiration ?? 'never',
      ...(tablePermissions && { permissions: tablePermissions }),
    });
    await context.catalog.write([mintedTokenRecord(token)]);
    return token;
  };
}

function toTokenObject({ id, access, mintedBy, mintedAtMs, expiresAtUnixSeconds, permissions }: IssuedToken) {
  return {
    id,
    access: access === 'ro' ? 'read-only' : 'full-access',
    minted_by: mintedBy,
    created_at: new Date(mintedAtMs).toISOString(),
    ...(expiresAtUnixSeconds !== undefined && { expires_at: new Date(expiresAtUnixSeconds * 1000).toISOString() }),
    ...(permissions && { fine_grained_permissions: permissions }),
  };
}
