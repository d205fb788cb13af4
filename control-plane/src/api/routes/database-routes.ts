import type { FastifyInstance } from 'fastify';
import { assertDatabaseAddress, hostLabel } from '@turso-byoc/data-plane/naming/host-label.js';
import { findDatabase, listReadyDatabases, type DatabaseRecord } from '../../catalog/databases.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import type { DatabaseRequest } from '../../databases/database-lifecycle.js';
import {
  branchClientEncryption,
  newClientEncryption,
  parseRemoteEncryption,
  type AskedEncryption,
} from '../remote-encryption.js';
import { parseSeed, type Seed } from '../seed.js';
import { isUnasked } from '../unasked.js';
import { listCursor, parseListCursor } from '../list-cursor.js';
import { assertLocation } from './location-routes.js';

const listQuery = {
  type: 'object',
  additionalProperties: false,
  properties: {
    group: { type: 'string' },
    schema: { type: 'string' },
    parent: { type: 'string' },
    type: { type: 'string' },
    limit: { type: 'string', pattern: '^(?:[1-9][0-9]{0,6})?$' },
    cursor: { type: 'string' },
  },
} as const;

interface ListQuery {
  group?: string;
  schema?: string;
  parent?: string;
  type?: string;
  limit?: string;
  cursor?: string;
}

const createBody = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    group: { type: ['string', 'null'] },
    location: { type: ['string', 'null'] },
    use_tursodb: { type: ['boolean', 'null'] },
    image: { type: ['string', 'null'] },
    seed: {},
    size_limit: {},
    schema: {},
    is_schema: {},
    remote_encryption: {},
    group_id: {},
    extensions: {},
  },
} as const;

interface CreateBody {
  name: string;
  group?: string | null;
  location?: string | null;
  use_tursodb?: boolean | null;
  image?: string | null;
  [option: string]: unknown;
}

const optionsNotOffered = ['size_limit', 'schema', 'is_schema', 'group_id', 'extensions'];

/** A logical database has no schema parent, and this is the only type there is. */
const databaseType = 'logical';
/** Rows that one query of the catalog returns at most. */
const pageRows = 1_000;

type DatabaseParameters = { Params: { database: string } };

/** Databases: list, create, get, delete, and their one instance. */
export function registerDatabaseRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog, organization } = context;

  app.get<{ Querystring: ListQuery }>('/databases', { schema: { querystring: listQuery } }, async (request) => {
    const { group, schema, parent, type, limit, cursor } = request.query;
    // There are no schema databases: nothing has a schema, or another type.
    if (!isUnasked(schema) || (!isUnasked(type) && type !== databaseType)) {
      return { databases: [], pagination: { next: null } };
    }
    const page = await listPage({
      group: isUnasked(group) ? undefined : group,
      parent: isUnasked(parent) ? undefined : parent,
      after: isUnasked(cursor) ? '' : parseListCursor(cursor ?? ''),
      limit: isUnasked(limit) ? Number.POSITIVE_INFINITY : Number(limit),
    });
    return {
      databases: page.records.map((record) => toDatabaseObject(record, context)),
      pagination: { next: page.next },
    };
  });

  app.post<{ Body: CreateBody }>('/databases', { schema: { body: createBody } }, async (request) => {
    const { name, group, location, use_tursodb: useTursodb, image } = request.body;
    assertDatabaseAddress({ database: name, organization });
    if (typeof location === 'string' && location !== '') assertLocation(location, context);
    for (const option of optionsNotOffered) {
      if (isUnasked(request.body[option])) continue;
      throw new ControlPlaneError('OPTION_NOT_OFFERED', `"${option}" is not offered yet`);
    }
    if (!isUnasked(image) && image !== 'latest') {
      throw new ControlPlaneError('OPTION_NOT_OFFERED', '"image" is not offered: all databases run this release');
    }
    const askedGroup = typeof group === 'string' && group !== '' ? group : undefined;
    const seed = isUnasked(request.body['seed']) ? undefined : parseSeed(request.body['seed'], context.clock.now());
    const encryption = parseRemoteEncryption(request.body['remote_encryption']);
    const asked: DatabaseRequest = seed
      ? await branchRequest(name, seed, { group: askedGroup, useTursodb: useTursodb === true, encryption }, context)
      : {
          organization,
          name,
          group: askedGroup ?? 'default',
          engine: useTursodb === true ? 'tursodb' : 'libsql',
          ...(encryption &&
            ('clientKey' in encryption ? { clientEncryption: newClientEncryption(encryption.clientKey) } : encryption)),
        };
    const record = await context.lifecycle.create(asked);
    return { database: { DbId: record.uuid, Hostname: hostnameOf(record, context), Name: record.name } };
  });

  app.get<DatabaseParameters>('/databases/:database', async (request) => ({
    database: toDatabaseObject(await requireDatabase(request.params.database, context), context),
  }));

  app.delete<DatabaseParameters>('/databases/:database', async (request) => {
    const record = await findDatabase(catalog, organization, request.params.database);
    if (record === undefined) throw databaseNotFound(request.params.database);
    await context.lifecycle.delete(record);
    return { database: record.name };
  });

  app.get<DatabaseParameters>('/databases/:database/instances', async (request) => ({
    instances: [toInstanceObject(await requireDatabase(request.params.database, context), context)],
  }));
  app.get<{ Params: { database: string; instance: string } }>(
    '/databases/:database/instances/:instance',
    async (request) => {
      const instance = toInstanceObject(await requireDatabase(request.params.database, context), context);
      if (instance.name === request.params.instance) return { instance };
      throw new ControlPlaneError('INSTANCE_NOT_FOUND', `could not find instance ${request.params.instance}`);
    },
  );

  // A database always runs this release: there is nothing to bring up to date.
  app.post<DatabaseParameters>('/databases/:database/update', async (request) => {
    await requireDatabase(request.params.database, context);
    return {};
  });

  const listPage = async (query: {
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
      const { group, parent } = query;
      const rows = await listReadyDatabases(catalog, { organization, group, parent, after, limit });
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

/**
 * A branch lives in its parent's group and engine; a request that asks for others is refused. The group `default` counts
 * as none: clients name it when their user named no group.
 */
async function branchRequest(
  name: string,
  { parent: parentName, timeMs }: Seed,
  asked: { group: string | undefined; useTursodb: boolean; encryption: AskedEncryption | undefined },
  context: ApiContext,
): Promise<DatabaseRequest> {
  const parentRecord = await requireDatabase(parentName, context);
  const { organization, group, engine, uuid, name: found } = parentRecord;
  if (asked.group !== undefined && asked.group !== group.name && asked.group !== 'default') {
    throw new ControlPlaneError('SEED_INVALID', `a branch of ${found} lives in its group, ${group.name}`);
  }
  if (asked.useTursodb && engine !== 'tursodb') {
    throw new ControlPlaneError('SEED_INVALID', `a branch of ${found} has its engine, ${engine}`);
  }
  const askedKey = asked.encryption && 'clientKey' in asked.encryption ? asked.encryption.clientKey : undefined;
  const clientEncryption = branchClientEncryption(askedKey, parentRecord);
  const parent = { uuid, name: found };
  return {
    organization,
    name,
    group: group.name,
    engine,
    branch: { parent, ...(timeMs !== undefined && { timeMs }) },
    ...(asked.encryption && 'keyId' in asked.encryption && asked.encryption),
    ...(clientEncryption && { clientEncryption }),
  };
}

/** The database of this name, when it is ready. Throws `DATABASE_NOT_FOUND`. */
export async function requireDatabase(name: string, context: ApiContext): Promise<DatabaseRecord> {
  const record = await findDatabase(context.catalog, context.organization, name);
  if (record?.state !== 'ready') throw databaseNotFound(name);
  return record;
}

function databaseNotFound(name: string): ControlPlaneError {
  return new ControlPlaneError('DATABASE_NOT_FOUND', `could not find database with name ${name}: record not found`);
}

export function hostnameOf(record: DatabaseRecord, context: ApiContext): string {
  return `${hostLabel({ database: record.name, organization: record.organization })}.${context.hostnameSuffix}`;
}

function toDatabaseObject(record: DatabaseRecord, context: ApiContext) {
  return {
    Name: record.name,
    DbId: record.uuid,
    Hostname: hostnameOf(record, context),
    block_reads: false,
    block_writes: false,
    regions: [context.primaryRegion],
    primaryRegion: context.primaryRegion,
    group: record.group.name,
    delete_protection: false,
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
