import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { findUser, insertUser, listUsers, type UserRecord } from '../../catalog/users.js';
import { useBootstrap } from '../../catalog/bootstrap.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, isPublic, operatorToken } from '../define-route.js';
import { flag, input, list, object, orNull, text } from '../schemas.js';
import { tokenName } from './auth-routes.js';

export const username = { type: 'string', pattern: '^[a-z0-9](?:[a-z0-9-]{0,37}[a-z0-9])?$' } as const;
const email = { type: ['string', 'null'], maxLength: 254, pattern: '^(?:[^@\\s]+@[^@\\s]+)?$' } as const;
const newUser = input({ username, email, name: orNull(text), operator: orNull(flag) }, ['username']);
const userObject = object({ username: text, email: text, name: text, operator: flag, created_at: text });

interface NewUser {
  username: string;
  email?: string | null;
  name?: string | null;
  operator?: boolean | null;
}

/** Users, as operators see them: people that do not come through an identity provider, and programs. */
export function registerUserRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog, clock } = context;

  defineRoute(app, {
    method: 'GET',
    url: '/v1/users',
    operation: 'listUsers',
    summary: 'All users of the deployment.',
    access: operatorToken,
    answer: object({ users: list(userObject) }),
    handler: async () => ({ users: (await listUsers(catalog)).map(toUserObject) }),
  });
  defineRoute<{ Body: NewUser }>(app, {
    method: 'POST',
    url: '/v1/users',
    operation: 'createUser',
    summary: 'Adds a user, who is a member of no organization yet.',
    access: operatorToken,
    errors: ['USER_EXISTS'],
    audit: 'user-signup',
    body: newUser,
    answer: object({ user: userObject }),
    handler: async ({ body }) => {
      const user = userOf(body, body.operator === true, clock.now());
      if (!(await insertUser(catalog, user))) {
        throw new ControlPlaneError('USER_EXISTS', `user ${user.username} already exists`);
      }
      noteInAudit({ username: user.username, operator: user.isOperator });
      return { user: toUserObject(user) };
    },
  });
  defineRoute<{ Params: { username: string; name: string } }>(app, {
    method: 'POST',
    url: '/v1/users/:username/api-tokens/:name',
    operation: 'createApiTokenForUser',
    summary: 'Mints the first platform token of a user who cannot sign in.',
    access: operatorToken,
    errors: ['API_TOKEN_EXISTS', 'USER_NOT_FOUND'],
    audit: 'user-token-create',
    params: { username: text, name: tokenName },
    answer: object({ name: text, id: text, token: text }),
    handler: async ({ params, principal }) => {
      const user = await findUser(catalog, params.username);
      if (user === undefined) throw new ControlPlaneError('USER_NOT_FOUND', `could not find user ${params.username}`);
      const { name } = params;
      const token = await context.platformTokens.mint({ userUuid: user.uuid, name, mintedBy: principal.tokenId });
      noteInAudit({ jti: token.jti });
      return { name, id: token.jti, token: token.jwt };
    },
  });
}

/** The first administrator, made once by whoever holds the bootstrap token of the deployment. */
export function registerBootstrapRoute(app: FastifyInstance, context: ApiContext): void {
  defineRoute<{ Body: NewUser }>(app, {
    method: 'POST',
    url: '/v1/bootstrap',
    operation: 'bootstrap',
    summary: 'Makes the first administrator: operator of the deployment and owner of its first organization.',
    access: isPublic,
    errors: ['API_TOKEN_EXISTS', 'BOOTSTRAP_REFUSED', 'DATA_PLANE_UNAVAILABLE', 'USER_EXISTS'],
    audit: 'bootstrap',
    body: newUser,
    answer: object({ user: userObject, token: text }),
    handler: async ({ body, headers }) => {
      const presented = /^bearer +([^ ]+) *$/i.exec(headers.authorization ?? '')?.[1];
      if (presented === undefined) throw refused('the request carries no bootstrap token');
      const expected = context.bootstrapDigest;
      if (expected === undefined) throw refused('the deployment has no bootstrap token');
      const digest = createHash('sha256').update(presented).digest();
      if (!timingSafeEqual(digest, Buffer.from(expected, 'hex'))) throw refused('this is not the bootstrap token');
      const user = userOf(body, true, context.clock.now());
      const outcome = await useBootstrap(context.catalog, user, context.organization);
      if (outcome === 'used') throw refused('the bootstrap token has been used, or there is an operator already');
      if (outcome === 'name taken') throw new ControlPlaneError('USER_EXISTS', `user ${user.username} already exists`);
      const name = 'bootstrap';
      const token = await context.platformTokens.mint({ userUuid: user.uuid, name, mintedBy: 'bootstrap' });
      noteInAudit({ username: user.username, jti: token.jti });
      return { user: toUserObject(user), token: token.jwt };
    },
  });
}

function userOf(body: NewUser, isOperator: boolean, createdAtMs: number): UserRecord {
  const { username: name, email: address } = body;
  return {
    uuid: randomUUID(),
    username: name,
    email: (address ?? '').toLowerCase(),
    name: body.name ?? name,
    isOperator,
    createdAtMs,
  };
}

function toUserObject({ username: name, email: address, name: shown, isOperator, createdAtMs }: UserRecord) {
  return {
    username: name,
    email: address,
    name: shown,
    operator: isOperator,
    created_at: new Date(createdAtMs).toISOString(),
  };
}

function refused(message: string): ControlPlaneError {
  return new ControlPlaneError('BOOTSTRAP_REFUSED', message);
}
