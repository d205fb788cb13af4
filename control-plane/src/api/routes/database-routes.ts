import type { FastifyInstance, FastifyRequest } from 'fastify';
import { assertDatabaseAddress, hostLabel } from '@turso-byoc/data-plane/naming/host-label.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { listReadyDatabases, type DatabaseRecord } from '../../catalog/databases.js';
import { findGroup } from '../../catalog/groups.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { branchRequest, createInGroup } from '../database-creation.js';
import { defineRoute, mayDo, ofPublishing, ofCreation } from '../define-route.js';
import { onlyGroup, requireDatabase, requireDatabaseInAnyState } from '../named-resources.js';
import { anything, createdDatabase, databaseObject, empty, input, list, object, orNull, text } from '../schemas.js';
import { newClientEncryption, parseRemoteEncryption } from '../remote-encryption.js';
import { parseSeed } from '../seed.js';
import { setMaxBytes } from '../../catalog/access-rules.js';
import { parseSize } from '../size.js';
import { isUnasked } from '../unasked.js';
import { listCursor, parseListCursor } from '../list-cursor.js';
import { assertLocation } from './location-routes.js';

const listQuery = input({
  group: text,
  group_id: text,
  schema: text,
  parent: text,
  parent_db_id: text,
  type: text,
  limit: { type: 'string', pattern: '^(?:[1-9][0-9]{0,6})?$' },
  cursor: text,
});

interface ListQuery {
  group?: string;
  group_id?: string;
  schema?: string;
  parent?: string;
  parent_db_id?: string;
  type?: string;
  limit?: string;
  cursor?: string;
}

const createBody = input(
  {
    name: text,
    group: orNull(text),
    group_id: orNull(text),
    location: orNull(text),
    use_tursodb: { type: ['boolean', 'null'] },
    image: orNull(text),
    seed: anything,
    size_limit: orNull(text),
    schema: anything,
    is_schema: anything,
    remote_encryption: anything,
    extensions: anything,
  },
  ['name'],
);

interface CreateBody {
  name: string;
  group?: string | null;
  group_id?: string | null;
  location?: string | null;
  use_tursodb?: boolean | null;
  image?: string | null;
  [option: string]: unknown;
}

const optionsNotOffered = ['schema', 'is_schema', 'extensions'];

/** A logical database has no schema parent, and this is the only type there is. */
const databaseType = 'logical';
/** Rows that one query of the catalog returns at most: a page of a thousand, and one to tell whether there is another. */
const pageRows = 1_001;
/** The Platform SDK reads one page only, so a page without a limit holds what a client can be expected to take. */
const maxPageLength = 100_000;

interface DatabaseRoute {
  Params: { database: string };
}

const replicas = 'a database has one instance: there are no edge replicas';
const stays = 'a database stays in its group; transfer the group';
const instanceObject = object({ uuid: text, name: text, type: text, region: text, hostname: text });

/** Databases: list, create, get, delete, and their one instance. */
export function registerDatabaseRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  defineRoute<{ Querystring: ListQuery }>(app, {
    method: 'GET',
    url: '/databases',
    operation: 'listDatabases',
    summary: 'Databases in the order of their names, page by page.',
    access: mayDo('read'),
    errors: ['INVALID_CURSOR'],
    query: listQuery,
    answer: object({ databases: list(databaseObject), pagination: object({ next: orNull(text) }) }),
    handler: async (request) => {
      const { schema, type, limit, cursor } = request.query;
      const nothing = { databases: [], pagination: { next: null } };
      // There are no schema databases: nothing has a schema, or another type.
      if (!isUnasked(schema) || (!isUnasked(type) && type !== databaseType)) return nothing;
      const group = await listedGroup(request, context);
      if (group === 'none') return nothing;
      const parent = isUnasked(request.query.parent) ? request.query.parent_db_id : request.query.parent;
      const page = await listPage({
        organization: request.organization,
        group,
        parent: isUnasked(parent) ? undefined : parent,
        after: isUnasked(cursor) ? '' : parseListCursor(cursor ?? ''),
        limit: Math.min(isUnasked(limit) ? maxPageLength : Number(limit), maxPageLength),
      });
      return {
        databases: page.records.map((record) => toDatabaseObject(record, context)),
        pagination: { next: page.next },
      };
    },
  });

  defineRoute<{ Body: CreateBody }>(app, {
    method: 'POST',
    url: '/databases',
    operation: 'createDatabase',
    summary:
      'Creates a database: empty, as a branch of another one, now or at a time, as a dump, or for a file that is uploaded to it next.',
    access: mayDo('db:create'),
    errors: [
      'DUMP_REFUSED',
      'ENCRYPTION_INVALID',
      'INVALID_LOCATION',
      'MALFORMED_REQUEST',
      'OPTION_NOT_OFFERED',
      'SEED_INVALID',
      'SIZE_INVALID',
      ...ofPublishing,
      ...ofCreation,
    ],
    audit: 'db-create',
    body: createBody,
    answer: object({ database: createdDatabase }),
    handler: async (request) => {
      const { organization, body } = request;
      const { name, location, use_tursodb: useTursodb, image } = body;
      assertDatabaseAddress({ database: name, organization });
      if (typeof location === 'string' && location !== '') assertLocation(location, context);
      for (const option of optionsNotOffered) {
        if (isUnasked(body[option])) continue;
        throw new ControlPlaneError('OPTION_NOT_OFFERED', `"${option}" is not offered yet`);
      }
      if (!isUnasked(image) && image !== 'latest') {
        throw new ControlPlaneError('OPTION_NOT_OFFERED', '"image" is not offered: all databases run this release');
      }
      const namedGroup = isUnasked(body.group) ? body.group_id : body.group;
      const askedGroup = typeof namedGroup === 'string' && namedGroup !== '' ? namedGroup : undefined;
      const seed = isUnasked(body['seed']) ? undefined : parseSeed(body['seed'], context.clock.now());
      const encryption = parseRemoteEncryption(body['remote_encryption']);
      const maxBytes = isUnasked(body['size_limit']) ? undefined : parseSize(String(body['size_limit']));
      const asked = { group: askedGroup, useTursodb: useTursodb === true, encryption };
      const record =
        seed?.kind === 'branch'
          ? await context.lifecycle.create(await branchRequest(request, name, seed, asked, context))
          : await createInGroup(
              request,
              askedGroup ?? 'default',
              {
                organization,
                name,
                engine: useTursodb === true ? 'tursodb' : 'libsql',
                ...(seed?.kind === 'dump' && { dump: { address: seed.dump, maxBytes } }),
                ...(seed && seed.kind !== 'dump' && { awaitsFile: true }),
                ...(encryption &&
                  ('clientKey' in encryption
                    ? { clientEncryption: newClientEncryption(encryption.clientKey) }
                    : encryption)),
              },
              context,
            );
      if (maxBytes !== undefined) {
        await context.catalog.write(setMaxBytes(record.uuid, maxBytes));
        await context.accessRules.publish();
      }
      noteInAudit({ database: record.name, id: record.uuid, group: record.group.name });
      return { database: toCreatedDatabase(record, context) };
    },
  });

  defineRoute<DatabaseRoute>(app, {
    method: 'GET',
    url: '/databases/:database',
    operation: 'getDatabase',
    summary: 'One database, by name or id.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND'],
    answer: object({ database: databaseObject }),
    handler: async (request) => ({
      database: toDatabaseObject(await requireDatabase(request, request.params.database, context), context),
    }),
  });

  defineRoute<DatabaseRoute>(app, {
    method: 'DELETE',
    url: '/databases/:database',
    operation: 'deleteDatabase',
    summary: 'Deletes a database, unless it is protected or under a legal hold.',
    access: mayDo('db:delete'),
    errors: ['DATABASE_HELD', 'DATABASE_NOT_FOUND', 'DATA_PLANE_REFUSED', 'DELETE_PROTECTED'],
    audit: 'db-delete',
    body: anything,
    answer: object({ database: text }),
    handler: async (request) => {
      const record = await requireDatabaseInAnyState(request, request.params.database, context);
      noteInAudit({ database: record.name, id: record.uuid, group: record.group.name });
      await context.lifecycle.delete(record);
      return { database: record.name };
    },
  });

  defineRoute<DatabaseRoute>(app, {
    method: 'GET',
    url: '/databases/:database/instances',
    operation: 'listInstances',
    summary: 'The one instance of a database, named after its region.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND'],
    answer: object({ instances: list(instanceObject) }),
    handler: async (request) => ({
      instances: [toInstanceObject(await requireDatabase(request, request.params.database, context), context)],
    }),
  });
  const instance = async (request: FastifyRequest<{ Params: { database: string; instance: string } }>) => {
    const found = toInstanceObject(await requireDatabase(request, request.params.database, context), context);
    if (found.name === request.params.instance) return found;
    throw new ControlPlaneError('INSTANCE_NOT_FOUND', `could not find instance ${request.params.instance}`);
  };
  defineRoute<{ Params: { database: string; instance: string } }>(app, {
    method: 'GET',
    url: '/databases/:database/instances/:instance',
    operation: 'getInstance',
    summary: 'The one instance.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'INSTANCE_NOT_FOUND'],
    answer: object({ instance: instanceObject }),
    handler: async (request) => ({ instance: await instance(request) }),
  });
  defineRoute<{ Params: { database: string; instance: string } }>(app, {
    method: 'GET',
    url: '/databases/:database/instances/:instance/wait',
    operation: 'waitForInstance',
    summary: 'Answers at once: an instance is ready when its database is.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'INSTANCE_NOT_FOUND'],
    answer: empty,
    handler: async (request) => {
      await instance(request);
      return {};
    },
  });

  for (const [method, url, operation, permission, why] of [
    ['POST', '/databases/:database/instances', 'createInstance', 'db:configure', replicas],
    ['DELETE', '/databases/:database/instances/:instance', 'deleteInstance', 'db:configure', replicas],
    ['POST', '/databases/:database/transfer', 'transferDatabase', 'group:transfer', stays],
  ] as const) {
    defineRoute<DatabaseRoute>(app, {
      method,
      url,
      operation,
      summary: `Refused: ${why}.`,
      access: mayDo(permission),
      errors: ['DATABASE_NOT_FOUND', 'OPTION_NOT_OFFERED'],
      body: anything,
      answer: empty,
      handler: async (request) => {
        await requireDatabase(request, request.params.database, context);
        throw new ControlPlaneError('OPTION_NOT_OFFERED', why);
      },
    });
  }

  // A database always runs this release, and never sleeps: there is nothing to bring up to date or to wake.
  for (const [url, operation] of [
    ['/databases/:database/update', 'updateDatabaseVersion'],
    ['/databases/:database/wakeup', 'wakeDatabase'],
  ] as const) {
    defineRoute<DatabaseRoute>(app, {
      method: 'POST',
      url,
      operation,
      summary: 'Does nothing: every database runs this release and answers when it is asked.',
      access: mayDo('db:configure'),
      errors: ['DATABASE_NOT_FOUND'],
      body: anything,
      answer: empty,
      handler: async (request) => {
        await requireDatabase(request, request.params.database, context);
        return {};
      },
    });
  }

  const listPage = async (query: {
    organization: string;
    group: string | undefined;
    parent: string | undefined;
    after: string;
    limit: number;
  }): Promise<{ records: DatabaseRecord[]; next: string | null }> => {
    const records: DatabaseRecord[] = [];
    let after = query.after;
    for (;;) {
      // One more than asked for tells whether there is a next page.
      const limit = Math.min(pageRows, query.limit + 1 - records.length);
      const rows = await listReadyDatabases(catalog, { ...query, after, limit });
      records.push(...rows);
      const last = records.at(-1);
      if (records.length > query.limit || rows.length < limit || last === undefined) break;
      after = last.name;
    }
    if (records.length <= query.limit) return { records, next: null };
    const kept = records.slice(0, query.limit);
    return { records: kept, next: listCursor(kept.at(-1)?.name ?? '') };
  };
}

/** The uuid of the group that a list is of, undefined for all, `none` when the caller sees none of it. */
async function listedGroup(
  request: FastifyRequest<{ Querystring: ListQuery }>,
  context: ApiContext,
): Promise<string | undefined> {
  const only = onlyGroup(request);
  const asked = isUnasked(request.query.group) ? request.query.group_id : request.query.group;
  if (asked === undefined || asked === '') return only;
  const group = await findGroup(context.catalog, request.organization, asked);
  return group === undefined || (only !== undefined && group.uuid !== only) ? 'none' : group.uuid;
}

export function hostnameOf(record: DatabaseRecord, context: ApiContext): string {
  return `${hostLabel({ database: record.name, organization: record.addressOrganization })}.${context.hostnameSuffix}`;
}

export function toCreatedDatabase(record: DatabaseRecord, context: ApiContext) {
  return { DbId: record.uuid, Hostname: hostnameOf(record, context), Name: record.name };
}

function toDatabaseObject(record: DatabaseRecord, context: ApiContext) {
  return {
    Name: record.name,
    DbId: record.uuid,
    Hostname: hostnameOf(record, context),
    block_reads: record.configuration.blockReads,
    block_writes: record.configuration.blockWrites,
    regions: [context.primaryRegion],
    primaryRegion: context.primaryRegion,
    group: record.group.name,
    delete_protection: record.configuration.deleteProtection,
    type: databaseType,
    database_type: record.engine,
    version: `v${context.release}`,
    sleeping: false,
    archived: false,
    allow_attach: false,
    schema: '',
    is_schema: false,
    ...(record.encryptionCipher !== undefined && { encryption_cipher: record.encryptionCipher }),
    ...(record.parent && {
      parent: {
        id: record.parent.uuid,
        name: record.parent.name,
        branched_at: new Date(record.createdAtMs).toISOString(),
      },
    }),
  };
}

function toInstanceObject(record: DatabaseRecord, context: ApiContext) {
  return {
    uuid: record.uuid,
    name: context.primaryRegion,
    type: 'primary',
    region: context.primaryRegion,
    hostname: hostnameOf(record, context),
  };
}
