import type { FastifyInstance, FastifyRequest } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { assertPermitted, parseRole } from '../../auth/permissions.js';
import {
  changeRole,
  findMember,
  insertMember,
  listMembers,
  removeMember,
  type MemberRecord,
} from '../../catalog/members.js';
import { findUser } from '../../catalog/users.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo } from '../define-route.js';
import { anything, input, list, memberObject, object, orNull, text } from '../schemas.js';

const members = '/v1/organizations/:organization/members';

type OneMember = { Params: { username: string } };

/** Members of an organization and their roles. */
export function registerMemberRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  defineRoute(app, {
    method: 'GET',
    url: members,
    operation: 'listMembers',
    summary: 'The members of the organization.',
    access: mayDo('organization:read'),
    answer: object({ members: list(memberObject) }),
    handler: async ({ organization }) => ({
      members: (await listMembers(catalog, organization)).map(toMemberObject),
    }),
  });

  const add = async (request: FastifyRequest, username: string, roleName: string | null | undefined) => {
    const { organization } = request;
    const role = parseRole(roleName);
    const user = await findUser(catalog, username);
    if (user === undefined) throw new ControlPlaneError('USER_NOT_FOUND', `could not find user ${username}`);
    if ((await findMember(catalog, organization, username)) !== undefined) {
      throw new ControlPlaneError(
        'MEMBER_EXISTS',
        `user ${username} is already a member of organization ${organization}`,
      );
    }
    await context.limiter.assertRoom('members', organization);
    await insertMember(catalog, organization, { userUuid: user.uuid, role, addedAtMs: context.clock.now() });
    context.authenticator.forgetAll();
    noteInAudit({ member: username, role });
    return { member: username, role };
  };
  const added = object({ member: text, role: text });
  defineRoute<{ Body: { username: string; role?: string | null } }>(app, {
    method: 'POST',
    url: members,
    operation: 'addMember',
    summary: 'Makes a user a member.',
    access: mayDo('members:manage'),
    errors: ['MEMBER_EXISTS', 'QUOTA_EXCEEDED', 'ROLE_INVALID', 'USER_NOT_FOUND'],
    audit: 'org-member-add',
    body: input({ username: text, role: orNull(text) }, ['username']),
    answer: added,
    handler: async (request) => add(request, request.body.username, request.body.role),
  });
  defineRoute<OneMember & { Body: { role?: string | null } }>(app, {
    method: 'POST',
    url: `${members}/:username`,
    operation: 'addMemberAsSdk',
    summary: 'The same, as the Platform SDK asks.',
    access: mayDo('members:manage'),
    errors: ['MEMBER_EXISTS', 'QUOTA_EXCEEDED', 'ROLE_INVALID', 'USER_NOT_FOUND'],
    audit: 'org-member-add',
    body: input({ member: orNull(text), role: orNull(text) }),
    answer: added,
    handler: async (request) => add(request, request.params.username, request.body.role),
  });

  defineRoute<OneMember>(app, {
    method: 'GET',
    url: `${members}/:username`,
    operation: 'getMember',
    summary: 'One member.',
    access: mayDo('organization:read'),
    errors: ['MEMBER_NOT_FOUND'],
    answer: object({ member: memberObject }),
    handler: async ({ organization, params }) => ({
      member: toMemberObject(await requireMember(organization, params.username, context)),
    }),
  });
  defineRoute<OneMember & { Body: { role: string } }>(app, {
    method: 'PATCH',
    url: `${members}/:username`,
    operation: 'updateMember',
    summary: 'Gives a member another role.',
    access: mayDo('members:manage'),
    errors: ['LAST_OWNER', 'MEMBER_NOT_FOUND', 'PERMISSION_DENIED', 'ROLE_INVALID'],
    audit: 'org-member-update',
    body: input({ role: text }, ['role']),
    answer: object({ member: memberObject }),
    handler: async (request) => {
      const { organization, params, body } = request;
      const role = parseRole(body.role);
      const member = await requireMember(organization, params.username, context);
      assertMayChange(request, member);
      const isChanged = await changeRole(catalog, organization, member.userUuid, role);
      context.authenticator.forgetAll();
      if (!isChanged) throw lastOwner(organization);
      noteInAudit({ role });
      return { member: toMemberObject({ ...member, role }) };
    },
  });
  defineRoute<OneMember>(app, {
    method: 'DELETE',
    url: `${members}/:username`,
    operation: 'removeMember',
    summary: 'Removes a member; everybody may leave.',
    access: mayDo('organization:read'),
    errors: ['LAST_OWNER', 'MEMBER_NOT_FOUND', 'PERMISSION_DENIED'],
    audit: 'org-member-rm',
    body: anything,
    answer: object({ member: text }),
    handler: async (request) => {
      const { organization, params, principal } = request;
      if (params.username !== principal.user.username) {
        const own = principal.memberships.get(organization) ?? 'viewer';
        assertPermitted('members:manage', own, principal.restriction);
      }
      const member = await findMember(catalog, organization, params.username);
      if (member === undefined) {
        throw new ControlPlaneError(
          'MEMBER_NOT_FOUND',
          `user ${params.username} is not a member of org ${organization}`,
        );
      }
      assertMayChange(request, member);
      const isGone = await removeMember(catalog, organization, member.userUuid);
      context.authenticator.forgetAll();
      if (!isGone) throw lastOwner(organization);
      return { member: member.username };
    },
  });
}

/** Only an owner changes what an owner is. */
function assertMayChange({ organization, principal }: FastifyRequest, member: MemberRecord): void {
  if (member.role !== 'owner' || principal.memberships.get(organization) === 'owner') return;
  throw new ControlPlaneError('PERMISSION_DENIED', 'only an owner may change or remove an owner');
}

async function requireMember(organization: string, username: string, context: ApiContext): Promise<MemberRecord> {
  const member = await findMember(context.catalog, organization, username);
  if (member !== undefined) return member;
  throw new ControlPlaneError('MEMBER_NOT_FOUND', 'could not find member');
}

function lastOwner(organization: string): ControlPlaneError {
  return new ControlPlaneError('LAST_OWNER', `organization ${organization} has no other owner`);
}

function toMemberObject({ username, role, email }: MemberRecord) {
  return { username, role, email };
}
