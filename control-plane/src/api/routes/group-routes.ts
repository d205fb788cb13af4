import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { findGroup, insertGroup, listGroups, type GroupRecord } from '../../catalog/groups.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { parseRemoteEncryption } from '../remote-encryption.js';
import { isUnasked } from '../unasked.js';
import { assertLocation } from './location-routes.js';

const groupName = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

const createBody = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    location: { type: ['string', 'null'] },
    extensions: {},
    remote_encryption: {},
    version: { type: ['string', 'null'] },
  },
} as const;

interface CreateBody {
  name: string;
  location?: string | null;
  extensions?: unknown;
  remote_encryption?: unknown;
  version?: string | null;
}

type GroupParameters = { Params: { group: string } };

/** Groups of databases. */
export function registerGroupRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog, organization } = context;

  app.get('/groups', async () => {
    const groups = await listGroups(catalog, organization);
    return { groups: groups.map((group) => toGroupObject(group, context)) };
  });

  app.post<{ Body: CreateBody }>('/groups', { schema: { body: createBody } }, async (request) => {
    const { name, location, extensions, version } = request.body;
    if (!groupName.test(name)) {
      throw new ControlPlaneError(
        'INVALID_NAME',
        'a group name consists of at most 64 lower-case letters, digits and dashes and neither starts nor ends with a dash',
      );
    }
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
    const encryption = parseRemoteEncryption(request.body.remote_encryption);
    if (encryption && 'clientKey' in encryption) {
      throw new ControlPlaneError('OPTION_NOT_OFFERED', 'a group has no key of a client; each database has its own');
    }
    const group = {
      uuid: randomUUID(),
      name,
      location: context.primaryRegion,
      ...encryption,
    };
    if (!(await insertGroup(catalog, { ...group, organization, createdAtMs: context.clock.now() }))) {
      throw new ControlPlaneError('GROUP_EXISTS', 'group already exists');
    }
    return { group: toGroupObject(group, context) };
  });

  app.get<GroupParameters>('/groups/:group', async (request) => ({
    group: toGroupObject(await requireGroup(request.params.group, context), context),
  }));

  app.delete<GroupParameters>('/groups/:group', async (request) => {
    const group = await findGroup(catalog, organization, request.params.group, { includeDeleting: true });
    if (group === undefined) throw groupNotFound();
    await context.lifecycle.deleteGroup(group);
    return { group: toGroupObject(group, context) };
  });

  // A group is usable as soon as it exists, and always of this release.
  app.get<{ Params: { group: string; location: string } }>(
    '/groups/:group/locations/:location/wait',
    async (request) => {
      await requireGroup(request.params.group, context);
      assertLocation(request.params.location, context);
      return {};
    },
  );
  app.post<GroupParameters>('/groups/:group/update', async (request) => {
    await requireGroup(request.params.group, context);
    return {};
  });
}

/** The group of this name. Throws `GROUP_NOT_FOUND`. */
export async function requireGroup(name: string, context: ApiContext): Promise<GroupRecord> {
  const group = await findGroup(context.catalog, context.organization, name);
  if (group === undefined) throw groupNotFound();
  return group;
}

function groupNotFound(): ControlPlaneError {
  return new ControlPlaneError('GROUP_NOT_FOUND', 'group not found');
}

function toGroupObject(group: GroupRecord, context: ApiContext) {
  return {
    uuid: group.uuid,
    name: group.name,
    version: `v${context.release}`,
    locations: [group.location],
    primary: group.location,
    archived: false,
    delete_protection: false,
    ...(group.keyId !== undefined && { remote_encryption: { kms_key_arn: group.keyId } }),
    status: { locations: [{ name: group.location, status: 'up' }] },
  };
}
