import { randomBytes } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { parseRole } from '../../auth/permissions.js';
import { acceptInvite, insertInvite, listInvites, removeInvite } from '../../catalog/invites.js';
import { findUser } from '../../catalog/users.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, userToken } from '../define-route.js';
import { anything, empty, flag, input, integer, list, object, orNull, text } from '../schemas.js';

const email = { type: ['string', 'null'], maxLength: 254, pattern: '^(?:[^@\\s]+@[^@\\s]+)?$' } as const;
const inviteBody = input({ email, username: orNull(text), role: orNull(text) });

interface InviteRoute {
  Body: { email?: string | null; username?: string | null; role?: string | null };
}

/** Invites: whoever signs in with the address, or shows the invite's token, becomes a member. No mail is sent. */
export function registerInviteRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  const invite = async ({ organization, body }: FastifyRequest<InviteRoute>) => {
    const role = parseRole(body.role);
    const address = await addressIn(body, context);
    const token = randomBytes(24).toString('base64url');
    await insertInvite(catalog, { organization, email: address, role, token, createdAtMs: context.clock.now() });
    noteInAudit({ email: address, role });
    return { invited: { email: address, role, organization, token } };
  };
  const invited = object({ invited: object({ email: text, role: text, organization: text, token: text }) });
  for (const [url, operation] of [
    ['/v2/organizations/:organization/invites', 'inviteMember'],
    ['/v1/organizations/:organization/invite', 'inviteMemberForCli'],
  ] as const) {
    defineRoute<InviteRoute>(app, {
      method: 'POST',
      url,
      operation,
      summary: 'Invites an address; the answer holds the token to hand on.',
      access: mayDo('members:manage'),
      audit: 'org-invite-create',
      body: inviteBody,
      answer: invited,
      handler: invite,
    });
  }

  for (const [version, operation] of [
    ['v2', ''],
    ['v1', 'ForCli'],
  ] as const) {
    const url = `/${version}/organizations/:organization/invites`;
    defineRoute(app, {
      method: 'GET',
      url,
      operation: `listInvites${operation}`,
      summary: 'The invites that nobody has accepted yet.',
      access: mayDo('organization:read'),
      answer: object({
        invites: list(object({ id: integer, email: text, role: text, created_at: text, accepted: flag })),
      }),
      handler: async ({ organization }) => ({
        invites: (await listInvites(catalog, organization)).map(({ id, email: address, role, createdAtMs }) => ({
          id,
          email: address,
          role,
          created_at: new Date(createdAtMs).toISOString(),
          accepted: false,
        })),
      }),
    });
    defineRoute<{ Params: { email: string } }>(app, {
      method: 'DELETE',
      url: `${url}/:email`,
      operation: `deleteInvite${operation}`,
      summary: 'Withdraws an invite.',
      access: mayDo('members:manage'),
      errors: ['INVITE_NOT_FOUND'],
      audit: 'org-invite-delete',
      body: anything,
      answer: empty,
      handler: async ({ organization, params }) => {
        if (await removeInvite(catalog, organization, params.email)) return {};
        throw new ControlPlaneError('INVITE_NOT_FOUND', 'invite not found');
      },
    });
  }

  defineRoute<{ Body: { token: string } }>(app, {
    method: 'POST',
    url: '/v1/invites/accept',
    operation: 'acceptInvite',
    summary: 'Makes the user a member where the token invites.',
    access: userToken,
    errors: ['INVITE_NOT_FOUND'],
    audit: 'org-invite-accept',
    body: input({ token: text }, ['token']),
    answer: object({ organization: text }),
    handler: async ({ body, principal }) => {
      const { uuid } = principal.user;
      const organization = await acceptInvite(catalog, body.token, uuid, context.clock.now());
      if (organization === undefined) throw new ControlPlaneError('INVITE_NOT_FOUND', 'invite not found');
      context.authenticator.forgetAll();
      noteInAudit({ organization });
      return { organization };
    },
  });
}

/** The address that a request names, or that of the user it names. */
async function addressIn({ email: address, username }: InviteRoute['Body'], context: ApiContext): Promise<string> {
  if (typeof address === 'string' && address !== '') return address.toLowerCase();
  if (typeof username !== 'string' || username === '') {
    throw new ControlPlaneError('MALFORMED_REQUEST', 'the body names neither "email" nor "username"');
  }
  const user = await findUser(context.catalog, username);
  if (user === undefined || user.email === '') {
    throw new ControlPlaneError('USER_NOT_FOUND', `could not find user ${username}`);
  }
  return user.email;
}
