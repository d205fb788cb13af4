import type { FastifyInstance } from 'fastify';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { UsageCounts } from '@turso-byoc/data-plane/metering/usage-batch.js';
import {
  countsOfOrganization,
  daysOf,
  knownStoredBytes,
  usageByDatabase,
  usageOf,
  type UsagePeriod,
} from '../../catalog/usage.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo } from '../define-route.js';
import { onlyGroup, requireDatabase, requireOrganization } from '../named-resources.js';
import { anything, input, integer, list, object, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

const usageObject = object({
  rows_read: integer,
  rows_written: integer,
  storage_bytes: integer,
  bytes_synced: integer,
  queries: integer,
});
const period = input({ from: text, to: text });
/** RFC 3339, as Go parses it. */
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Organizations with more databases are answered without what each of them used. */
const mostListed = 1_000;

const dayMs = 86_400_000;
/** A statement without values, what all of its runs read and wrote, and how many there were. */
const queryObject = object({ query: text, rows_read: integer, rows_written: integer, count: integer });

interface QueryCosts {
  readonly query: string;
  readonly rows_read: number;
  readonly rows_written: number;
  readonly count: number;
}

interface DatabaseStatementsRoute {
  Params: { database: string };
  Querystring: { from?: string; to?: string };
}

interface PeriodQuery {
  Querystring: { from?: string; to?: string };
}

/** Usage, as the data nodes counted it, in whole days (UTC); `storage_bytes` as they told it last. */
export function registerUsageRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog, clock } = context;

  defineRoute<PeriodQuery>(app, {
    method: 'GET',
    url: '/usage',
    operation: 'getOrganizationUsage',
    summary: 'What the organization has, and what its databases used, in whole days.',
    access: mayDo('organization:read'),
    errors: ['DATA_PLANE_REFUSED', 'ORGANIZATION_NOT_FOUND', 'PERIOD_INVALID'],
    query: period,
    answer: object({
      organization: object({ uuid: text, usage: anything, databases: list(anything) }),
    }),
    handler: async (request) => {
      const days = periodOf(request.query, clock.now());
      const { uuid, slug } = await requireOrganization(request, context);
      await context.usage.refresh();
      const { databases, groups, storedBytes } = await countsOfOrganization(catalog, slug);
      const usage = {
        ...toUsage(await usageOf(catalog, 'organization', slug, days), storedBytes),
        databases,
        groups,
        locations: 1,
      };
      const only = { organization: slug, groupUuid: onlyGroup(request) };
      const each = databases > mostListed ? [] : await usageByDatabase(catalog, only, days);
      return {
        organization: {
          uuid,
          usage,
          databases: each.map((one) => toDatabaseUsage(one.uuid, toUsage(one.counts, one.storedBytes))),
        },
      };
    },
  });
  defineRoute<PeriodQuery & { Params: { database: string } }>(app, {
    method: 'GET',
    url: '/databases/:database/usage',
    operation: 'getDatabaseUsage',
    summary: 'What a database stores, and what it used, in whole days.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'DATA_PLANE_REFUSED', 'PERIOD_INVALID'],
    query: period,
    answer: object({
      database: object({
        uuid: text,
        instances: list(object({ uuid: text, usage: usageObject })),
        usage: usageObject,
        total: usageObject,
      }),
    }),
    handler: async (request) => {
      const days = periodOf(request.query, clock.now());
      const { uuid } = await requireDatabase(request, request.params.database, context);
      await context.usage.refresh();
      const [storageBytes, counts] = await Promise.all([
        // Of a database that was not used since data nodes tell sizes: what lies in the store.
        knownStoredBytes(catalog, uuid).then(async (known) => known ?? context.admin.storedBytes(uuid)),
        usageOf(catalog, 'database', uuid, days),
      ]);
      return { database: toDatabaseUsage(uuid, toUsage(counts, storageBytes)) };
    },
  });
  defineRoute<DatabaseStatementsRoute>(app, {
    method: 'GET',
    url: '/databases/:database/stats',
    operation: 'getDatabaseStats',
    summary: 'The statements that cost most in the last day, without values.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'DATA_PLANE_REFUSED'],
    answer: object({ top_queries: list(queryObject) }),
    handler: async (request) => {
      const { uuid } = await requireDatabase(request, request.params.database, context);
      return { top_queries: await topQueries(uuid, undefined) };
    },
  });
  defineRoute<DatabaseStatementsRoute>(app, {
    method: 'GET',
    url: '/databases/:database/usage/queries',
    operation: 'getDatabaseUsageQueries',
    summary: 'The statements that cost most since a time, without values; of the last day at most.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'DATA_PLANE_REFUSED', 'PERIOD_INVALID'],
    query: input({ from: text, to: text }),
    answer: list(queryObject),
    handler: async (request) => {
      const fromMs = timeOf('from', request.query.from);
      const { uuid } = await requireDatabase(request, request.params.database, context);
      return topQueries(uuid, fromMs);
    },
  });

  async function topQueries(uuid: DatabaseId, fromMs = clock.now() - dayMs): Promise<QueryCosts[]> {
    const statements = await context.admin.topStatements(uuid, fromMs);
    return statements.map(({ shape, count, rowsRead, rowsWritten }) => ({
      query: shape,
      rows_read: rowsRead,
      rows_written: rowsWritten,
      count,
    }));
  }
}

type Usage = ReturnType<typeof toUsage>;

function toUsage({ rowsRead, rowsWritten, bytesSynced, queries }: UsageCounts, storageBytes: number) {
  return {
    rows_read: rowsRead,
    rows_written: rowsWritten,
    storage_bytes: storageBytes,
    bytes_synced: bytesSynced,
    queries,
  };
}

/** A database has one instance, the primary. Documents say `total`, clients read `usage`. */
function toDatabaseUsage(uuid: string, usage: Usage) {
  return { uuid, instances: [{ uuid, usage }], usage, total: usage };
}

/**
 * The days that were asked for. @default from the first of the month (UTC) until now. Throws `PERIOD_INVALID`, for a time in
 * the words of the Platform API.
 */
function periodOf({ from, to }: PeriodQuery['Querystring'], nowMs: number): UsagePeriod {
  const now = new Date(nowMs);
  const fromMs = timeOf('from', from) ?? Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1);
  const toMs = timeOf('to', to) ?? Math.max(nowMs, fromMs);
  if (fromMs > toMs) throw new ControlPlaneError('PERIOD_INVALID', 'invalid period: from is after to');
  return daysOf(fromMs, toMs);
}

/** Milliseconds since 1970, or undefined when nothing is asked for. */
function timeOf(name: 'from' | 'to', value: string | undefined): number | undefined {
  if (value === undefined || isUnasked(value)) return undefined;
  const timeMs = timePattern.test(value) ? Date.parse(value) : NaN;
  if (!Number.isNaN(timeMs)) return timeMs;
  throw new ControlPlaneError(
    'PERIOD_INVALID',
    `invalid ${name} parameter: parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00"`,
  );
}
