import type { FastifyInstance } from 'fastify';
import { noteInAudit } from '../../audit/audited-call.js';
import { configureDatabase, type DatabaseConfiguration } from '../../catalog/databases.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, ofPublishing } from '../define-route.js';
import { requireDatabase } from '../named-resources.js';
import { databaseConfiguration, flag, input, orNull, text } from '../schemas.js';
import { originLists, parseAllowedOrigins, toOriginLists } from '../allowed-origins.js';
import { parseSize } from '../size.js';
import { isUnasked } from '../unasked.js';

interface ConfigurationBody {
  size_limit?: string | null;
  allow_attach?: boolean | null;
  block_reads?: boolean | null;
  block_writes?: boolean | null;
  delete_protection?: boolean | null;
  allowed_ips?: string[] | null;
  allowed_aws_vpc_ids?: string[] | null;
}

/**
 * What a database is set to. Blocks reach the data nodes with the access rules, within seconds; an answer to a change waits
 * until they are published.
 */
export function registerDatabaseConfigurationRoutes(app: FastifyInstance, context: ApiContext): void {
  const url = '/databases/:database/configuration';
  defineRoute<{ Params: { database: string } }>(app, {
    method: 'GET',
    url,
    operation: 'getDatabaseConfiguration',
    summary: 'What a database is set to.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND'],
    answer: databaseConfiguration,
    handler: async (request) =>
      toConfigurationObject((await requireDatabase(request, request.params.database, context)).configuration),
  });
  defineRoute<{ Params: { database: string }; Body: ConfigurationBody }>(app, {
    method: 'PATCH',
    url,
    operation: 'updateDatabaseConfiguration',
    summary: 'Changes what is given; null leaves a flag as it is.',
    access: mayDo('db:configure'),
    errors: ['ALLOW_LIST_INVALID', 'DATABASE_NOT_FOUND', 'OPTION_NOT_OFFERED', 'SIZE_INVALID', ...ofPublishing],
    audit: 'db-configure',
    body: input({
      size_limit: orNull(text),
      allow_attach: orNull(flag),
      block_reads: orNull(flag),
      block_writes: orNull(flag),
      delete_protection: orNull(flag),
      ...originLists,
    }),
    answer: databaseConfiguration,
    handler: async (request) => {
      const { body } = request;
      if (!isUnasked(body.allow_attach)) {
        throw new ControlPlaneError(
          'OPTION_NOT_OFFERED',
          '"allow_attach" is not offered: a connection sees one database',
        );
      }
      const { uuid, configuration: now } = await requireDatabase(request, request.params.database, context);
      const next: DatabaseConfiguration = {
        deleteProtection: body.delete_protection ?? now.deleteProtection,
        blockReads: body.block_reads ?? now.blockReads,
        blockWrites: body.block_writes ?? now.blockWrites,
        ...maxBytesOf(
          body.size_limit === undefined || body.size_limit === null ? now.maxBytes : parseSize(body.size_limit),
        ),
        allowedOrigins: parseAllowedOrigins(body, now.allowedOrigins),
      };
      await configureDatabase(context.catalog, uuid, next);
      await context.accessRules.publish();
      noteInAudit({ id: uuid, ...toConfigurationObject(next) });
      return toConfigurationObject(next);
    },
  });
}

function maxBytesOf(maxBytes: number | undefined): { readonly maxBytes?: number } {
  return maxBytes === undefined ? {} : { maxBytes };
}

function toConfigurationObject(configuration: DatabaseConfiguration) {
  const { deleteProtection, blockReads, blockWrites, maxBytes, allowedOrigins } = configuration;
  return {
    size_limit: maxBytes === undefined ? '' : String(maxBytes),
    allow_attach: false,
    block_reads: blockReads,
    block_writes: blockWrites,
    delete_protection: deleteProtection,
    ...toOriginLists(allowedOrigins),
  };
}
