import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import {
  configureGroup,
  insertGroup,
  listGroups,
  renameGroup,
  transferGroup,
  type GroupRecord,
} from '../../catalog/groups.js';
import { findOrganization } from '../../catalog/organizations.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { assertPermitted } from '../../auth/permissions.js';
import { defineRoute, mayDo, ofPublishing } from '../define-route.js';
import { onlyGroup, requireGroup } from '../named-resources.js';
import { anything, empty, flag, groupObject, input, list, object, orNull, text } from '../schemas.js';
import { parseRemoteEncryption } from '../remote-encryption.js';
import { allowedOriginsOf, setAllowedOrigins } from '../../catalog/access-rules.js';
import { originLists, parseAllowedOrigins, toOriginLists, type OriginLists } from '../allowed-origins.js';
import { isUnasked } from '../unasked.js';
import { assertLocation } from './location-routes.js';

const groupName = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

const createBody = input(
  {
    name: text,
    location: orNull(text),
    extensions: anything,
    remote_encryption: anything,
    version: orNull(text),
  },
  ['name'],
);

interface CreateBody {
  name: string;
  location?: string | null;
  extensions?: unknown;
  remote_encryption?: unknown;
  version?: string | null;
}

interface GroupRoute {
  Params: { group: string };
}

const configurationObject = object({
  delete_protection: flag,
  allowed_ips: list(text),
  allowed_aws_vpc_ids: list(text),
});

/** Groups of databases. */
export function registerGroupRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  defineRoute(app, {
    method: 'GET',
    url: '/groups',
    operation: 'listGroups',
    summary: 'The groups of the organization.',
    access: mayDo('read'),
    answer: object({ groups: list(groupObject) }),
    handler: async (request) => {
      const only = onlyGroup(request);
      const groups = await listGroups(catalog, request.organization);
      const visible = groups.filter(({ uuid }) => only === undefined || only === uuid);
      return { groups: visible.map((group) => toGroupObject(group, context)) };
    },
  });

  defineRoute<{ Body: CreateBody }>(app, {
    method: 'POST',
    url: '/groups',
    operation: 'createGroup',
    summary: 'Creates a group.',
    access: mayDo('group:create'),
    errors: [
      'ENCRYPTION_INVALID',
      'GROUP_EXISTS',
      'INVALID_LOCATION',
      'INVALID_NAME',
      'MALFORMED_REQUEST',
      'OPTION_NOT_OFFERED',
      'QUOTA_EXCEEDED',
      ...ofPublishing,
    ],
    audit: 'group-create',
    body: createBody,
    answer: object({ group: groupObject }),
    handler: async ({ organization, body }) => {
      const { name, location, extensions, version } = body;
      assertGroupName(name);
      if (typeof location === 'string' && location !== '') assertLocation(location, context);
      if (!isUnasked(extensions)) {
        throw new ControlPlaneError(
          'OPTION_NOT_OFFERED',
          '"extensions" is not offered: all databases have the same ones',
        );
      }
      if (!isUnasked(version) && version !== 'latest') {
        throw new ControlPlaneError('OPTION_NOT_OFFERED', '"version" is not offered: all databases run this release');
      }
      const encryption = parseRemoteEncryption(body.remote_encryption);
      if (encryption && 'clientKey' in encryption) {
        throw new ControlPlaneError('OPTION_NOT_OFFERED', 'a group has no key of a client; each database has its own');
      }
      await context.limiter.assertRoom('groups', organization);
      const group = {
        uuid: randomUUID(),
        name,
        location: context.primaryRegion,
        deleteProtection: false,
        ...encryption,
      };
      if (!(await insertGroup(catalog, { ...group, organization, createdAtMs: context.clock.now() }))) {
        throw new ControlPlaneError('GROUP_EXISTS', 'group already exists');
      }
      await context.accessRules.publish();
      noteInAudit({ group: name, id: group.uuid });
      return { group: toGroupObject(group, context) };
    },
  });

  defineRoute<GroupRoute>(app, {
    method: 'GET',
    url: '/groups/:group',
    operation: 'getGroup',
    summary: 'One group, by name or id.',
    access: mayDo('read'),
    errors: ['GROUP_NOT_FOUND'],
    answer: object({ group: groupObject }),
    handler: async (request) => ({
      group: toGroupObject(await requireGroup(request, request.params.group, context), context),
    }),
  });

  defineRoute<GroupRoute>(app, {
    method: 'DELETE',
    url: '/groups/:group',
    operation: 'deleteGroup',
    summary:
      'Deletes a group with all its databases, unless one of them or the group is protected, or one is under a legal hold.',
    access: mayDo('group:delete'),
    errors: ['DATABASE_HELD', 'DATA_PLANE_REFUSED', 'DELETE_PROTECTED', 'GROUP_NOT_FOUND'],
    audit: 'group-delete',
    body: anything,
    answer: object({ group: groupObject }),
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context, { includeDeleting: true });
      noteInAudit({ group: group.name, id: group.uuid });
      await context.lifecycle.deleteGroup(group);
      context.authenticator.forgetAll();
      return { group: toGroupObject(group, context) };
    },
  });

  defineRoute<GroupRoute>(app, {
    method: 'GET',
    url: '/groups/:group/configuration',
    operation: 'getGroupConfiguration',
    summary: 'What the group is set to.',
    access: mayDo('read'),
    errors: ['GROUP_NOT_FOUND'],
    answer: configurationObject,
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const origins = await allowedOriginsOf(catalog, group.uuid);
      return { delete_protection: group.deleteProtection, ...toOriginLists(origins) };
    },
  });
  defineRoute<GroupRoute & { Body: { delete_protection?: boolean | null } & OriginLists }>(app, {
    method: 'PATCH',
    url: '/groups/:group/configuration',
    operation: 'updateGroupConfiguration',
    summary: 'Sets whether the group can be deleted, and where requests for its databases may come from.',
    access: mayDo('group:configure'),
    errors: ['ALLOW_LIST_INVALID', 'GROUP_NOT_FOUND', ...ofPublishing],
    audit: 'group-configure',
    body: input({ delete_protection: orNull(flag), ...originLists }),
    answer: configurationObject,
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      // Null, as the CLI sends it, leaves things as they are.
      const deleteProtection = request.body.delete_protection ?? group.deleteProtection;
      if (deleteProtection !== group.deleteProtection) await configureGroup(catalog, group.uuid, deleteProtection);
      const now = await allowedOriginsOf(catalog, group.uuid);
      const origins = parseAllowedOrigins(request.body, now);
      if (JSON.stringify(origins) !== JSON.stringify(now)) {
        await catalog.write(setAllowedOrigins(group.uuid, origins));
        await context.accessRules.publish();
      }
      const configuration = { delete_protection: deleteProtection, ...toOriginLists(origins) };
      noteInAudit(configuration);
      return configuration;
    },
  });

  defineRoute<GroupRoute & { Body: { name: string } }>(app, {
    method: 'POST',
    url: '/groups/:group/rename',
    operation: 'renameGroup',
    summary: 'Gives the group another name; databases, tokens and addresses stay.',
    access: mayDo('group:configure'),
    errors: ['GROUP_EXISTS', 'GROUP_NOT_FOUND', 'INVALID_NAME'],
    audit: 'group-rename',
    body: input({ name: text }, ['name']),
    answer: object({ group: groupObject }),
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const { name } = request.body;
      assertGroupName(name);
      if (!(await renameGroup(catalog, request.organization, group.uuid, name))) {
        throw new ControlPlaneError('GROUP_EXISTS', 'group already exists');
      }
      context.lifecycle.reached('group-renamed', name);
      noteInAudit({ name });
      return { group: toGroupObject({ ...group, name }, context) };
    },
  });

  defineRoute<GroupRoute & { Body: { organization: string } }>(app, {
    method: 'POST',
    url: '/groups/:group/transfer',
    operation: 'transferGroup',
    summary: 'Moves the group to another organization; host names and database tokens stay.',
    access: mayDo('group:transfer'),
    errors: [
      'GROUP_EXISTS',
      'GROUP_NOT_FOUND',
      'ORGANIZATION_NOT_FOUND',
      'PERMISSION_DENIED',
      'QUOTA_EXCEEDED',
      ...ofPublishing,
    ],
    audit: 'group-transfer',
    body: input({ organization: text }, ['organization']),
    answer: groupObject,
    handler: async (request) => {
      const group = await requireGroup(request, request.params.group, context);
      const { principal, organization } = request;
      const target = await findOrganization(catalog, request.body.organization);
      const role = target === undefined ? undefined : principal.memberships.get(target.slug);
      if (target === undefined || role === undefined || principal.restriction !== undefined) {
        throw new ControlPlaneError('ORGANIZATION_NOT_FOUND', 'organization not found');
      }
      assertPermitted('group:create', role, undefined);
      await context.limiter.assertRoom('groups', target.slug);
      if (!(await transferGroup(catalog, group.uuid, organization, target.slug))) {
        throw new ControlPlaneError(
          'GROUP_EXISTS',
          'the other organization has a group or a database of the same name',
        );
      }
      context.authenticator.forgetAll();
      await context.accessRules.publish();
      noteInAudit({ to: target.slug });
      return toGroupObject(group, context);
    },
  });

  // A group is usable as soon as it exists, always of this release, and never archived.
  defineRoute<{ Params: { group: string; location: string } }>(app, {
    method: 'GET',
    url: '/groups/:group/locations/:location/wait',
    operation: 'waitForGroup',
    summary: 'Answers at once: a group is ready when it exists.',
    access: mayDo('read'),
    errors: ['GROUP_NOT_FOUND', 'INVALID_LOCATION'],
    answer: empty,
    handler: async (request) => {
      await requireGroup(request, request.params.group, context);
      assertLocation(request.params.location, context);
      return {};
    },
  });
  defineRoute<GroupRoute>(app, {
    method: 'POST',
    url: '/groups/:group/update',
    operation: 'updateGroupVersion',
    summary: 'Does nothing: every database runs this release.',
    access: mayDo('group:configure'),
    errors: ['GROUP_NOT_FOUND'],
    body: anything,
    answer: empty,
    handler: async (request) => {
      await requireGroup(request, request.params.group, context);
      return {};
    },
  });
  defineRoute<GroupRoute>(app, {
    method: 'POST',
    url: '/groups/:group/unarchive',
    operation: 'unarchiveGroup',
    summary: 'Does nothing: groups are never archived.',
    access: mayDo('group:configure'),
    errors: ['GROUP_NOT_FOUND'],
    body: anything,
    answer: object({ group: groupObject }),
    handler: async (request) => ({
      group: toGroupObject(await requireGroup(request, request.params.group, context), context),
    }),
  });
  for (const [method, operation] of [
    ['POST', 'addLocation'],
    ['DELETE', 'removeLocation'],
  ] as const) {
    defineRoute<{ Params: { group: string; location: string } }>(app, {
      method,
      url: '/groups/:group/locations/:location',
      operation,
      summary: 'Refused: there are no edge replicas.',
      access: mayDo('group:configure'),
      errors: ['GROUP_NOT_FOUND', 'OPTION_NOT_OFFERED'],
      body: anything,
      answer: object({ group: groupObject }),
      handler: async (request) => {
        await requireGroup(request, request.params.group, context);
        throw new ControlPlaneError('OPTION_NOT_OFFERED', 'a group has one location: edge replicas are not supported');
      },
    });
  }
  for (const [method, action] of [
    ['GET', 'info'],
    ['POST', 'start'],
    ['POST', 'abort'],
  ] as const) {
    defineRoute<GroupRoute>(app, {
      method,
      url: `/groups/:group/aws/migration/${action}`,
      operation: `${action}AwsMigration`,
      summary: 'There is nothing to migrate: every group is in this account.',
      access: mayDo('read'),
      errors: ['GROUP_NOT_FOUND'],
      ...(method === 'POST' && { body: anything }),
      answer: object({ status: text, comment: text }),
      handler: async (request) => {
        await requireGroup(request, request.params.group, context);
        return { status: 'none', comment: 'the group is in this account already' };
      },
    });
  }
}

/** Throws `INVALID_NAME`. */
function assertGroupName(name: string): void {
  if (groupName.test(name)) return;
  throw new ControlPlaneError(
    'INVALID_NAME',
    'a group name consists of at most 64 lower-case letters, digits and dashes and neither starts nor ends with a dash',
  );
}

function toGroupObject(group: GroupRecord, context: ApiContext) {
  return {
    uuid: group.uuid,
    name: group.name,
    version: `v${context.release}`,
    locations: [group.location],
    primary: group.location,
    archived: false,
    delete_protection: group.deleteProtection,
    ...(group.keyId !== undefined && { remote_encryption: { kms_key_arn: group.keyId } }),
    status: { locations: [{ name: group.location, status: 'up' }] },
  };
}
