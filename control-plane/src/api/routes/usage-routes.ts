import type { FastifyInstance } from 'fastify';
import { countsOfOrganization } from '../../catalog/usage.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo } from '../define-route.js';
import { requireDatabase, requireOrganization } from '../named-resources.js';
import { anything, input, integer, list, object, text } from '../schemas.js';
import { isUnasked } from '../unasked.js';

const usageObject = object({
  rows_read: integer,
  rows_written: integer,
  storage_bytes: integer,
  bytes_synced: integer,
});
const period = input({ from: text, to: text });
/** RFC 3339, as Go parses it. */
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

/** What the deployment does not count yet, by the names of the Platform API. */
const notMetered = ['rows_read', 'rows_written', 'bytes_synced'];

interface PeriodQuery {
  Querystring: { from?: string; to?: string };
}

/**
 * Usage, as far as it is known: how many databases and groups there are, and what a database stores. Rows and synced bytes
 * are not counted yet; they are 0, and `not_metered` says so.
 */
export function registerUsageRoutes(app: FastifyInstance, context: ApiContext): void {
  defineRoute<PeriodQuery>(app, {
    method: 'GET',
    url: '/usage',
    operation: 'getOrganizationUsage',
    summary: 'What the organization has.',
    access: mayDo('organization:read'),
    query: period,
    answer: object({
      organization: object({ uuid: text, usage: anything, databases: list(anything), not_metered: list(text) }),
    }),
    handler: async (request) => {
      assertPeriod(request.query);
      const { uuid, slug } = await requireOrganization(request, context);
      const { databases, groups } = await countsOfOrganization(context.catalog, slug);
      const usage = {
        rows_read: 0,
        rows_written: 0,
        storage_bytes: 0,
        bytes_synced: 0,
        databases,
        groups,
        locations: 1,
      };
      return { organization: { uuid, usage, databases: [], not_metered: [...notMetered, 'storage_bytes'] } };
    },
  });
  defineRoute<PeriodQuery & { Params: { database: string } }>(app, {
    method: 'GET',
    url: '/databases/:database/usage',
    operation: 'getDatabaseUsage',
    summary: 'What a database stores.',
    access: mayDo('read'),
    query: period,
    answer: object({
      database: object({
        uuid: text,
        instances: list(object({ uuid: text, usage: usageObject })),
        usage: usageObject,
        total: usageObject,
        not_metered: list(text),
      }),
    }),
    handler: async (request) => {
      assertPeriod(request.query);
      const { uuid } = await requireDatabase(request, request.params.database, context);
      const storageBytes = await context.admin.storedBytes(uuid);
      const usage = { rows_read: 0, rows_written: 0, storage_bytes: storageBytes, bytes_synced: 0 };
      return { database: { uuid, instances: [{ uuid, usage }], usage, total: usage, not_metered: notMetered } };
    },
  });
  defineRoute<{ Params: { database: string } }>(app, {
    method: 'GET',
    url: '/databases/:database/stats',
    operation: 'getDatabaseStats',
    summary: 'The queries that cost most; null, because statements are not counted yet.',
    access: mayDo('read'),
    answer: object({ top_queries: { type: ['array', 'null'] } }),
    handler: async (request) => {
      await requireDatabase(request, request.params.database, context);
      return { top_queries: null };
    },
  });
}

/** Throws `PERIOD_INVALID`, in the words of the Platform API. */
function assertPeriod(query: PeriodQuery['Querystring']): void {
  for (const name of ['from', 'to'] as const) {
    const value = query[name];
    if (isUnasked(value) || (value !== undefined && timePattern.test(value) && !Number.isNaN(Date.parse(value))))
      continue;
    throw new ControlPlaneError(
      'PERIOD_INVALID',
      `invalid ${name} parameter: parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00"`,
    );
  }
}
