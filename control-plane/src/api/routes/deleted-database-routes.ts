import type { FastifyInstance } from 'fastify';
import { assertDatabaseAddress } from '@turso-byoc/data-plane/naming/host-label.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { findDeleted, listDeleted, type DeletedDatabase } from '../../catalog/deleted-databases.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo, ofCreation } from '../define-route.js';
import { onlyGroup } from '../named-resources.js';
import { createdDatabase, input, list, object, orNull, text } from '../schemas.js';
import { toCreatedDatabase } from './database-routes.js';

/** An extension of the Platform API: databases that were deleted, and how to bring them back. */
export function registerDeletedDatabaseRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog } = context;

  defineRoute(app, {
    method: 'GET',
    url: '/deleted-databases',
    operation: 'listDeletedDatabases',
    summary: 'Databases that were deleted, the last one first.',
    access: mayDo('read'),
    answer: object({
      databases: list(
        object(
          {
            Name: text,
            DbId: text,
            database_type: text,
            created_at: text,
            deleted_at: text,
            parent: { type: 'object' },
          },
          ['parent'],
        ),
      ),
    }),
    handler: async (request) => {
      const only = onlyGroup(request);
      const deleted = await listDeleted(catalog, request.organization);
      const visible = deleted.filter(({ groupUuid }) => only === undefined || only === groupUuid);
      return { databases: visible.map(toDeletedObject) };
    },
  });

  // By DbId, or by name: then the one that was deleted last.
  defineRoute<{ Params: { database: string }; Body: { name?: string | null } }>(app, {
    method: 'POST',
    url: '/deleted-databases/:database/undelete',
    operation: 'undeleteDatabase',
    summary: 'Brings a deleted database back, under its name or another one.',
    access: mayDo('db:create'),
    errors: ['DATABASE_HELD', 'DELETED_DATABASE_NOT_FOUND', 'UNDELETE_EXPIRED', ...ofCreation],
    audit: 'db-undelete',
    body: input({ name: orNull(text) }),
    answer: object({ database: createdDatabase }),
    handler: async (request) => {
      const only = onlyGroup(request);
      const deleted = await findDeleted(catalog, request.organization, request.params.database);
      if (deleted === undefined || (only !== undefined && deleted.groupUuid !== only)) {
        throw new ControlPlaneError(
          'DELETED_DATABASE_NOT_FOUND',
          `could not find deleted database ${request.params.database}`,
        );
      }
      const name = request.body.name ?? deleted.name;
      assertDatabaseAddress({ database: name, organization: deleted.addressOrganization });
      const record = await context.lifecycle.undelete(deleted, name);
      noteInAudit({ database: record.name, id: record.uuid });
      return { database: toCreatedDatabase(record, context) };
    },
  });
}

function toDeletedObject({ uuid, name, engine, createdAtMs, deletedAtMs, parent }: DeletedDatabase) {
  return {
    Name: name,
    DbId: uuid,
    database_type: engine,
    created_at: new Date(createdAtMs).toISOString(),
    deleted_at: new Date(deletedAtMs).toISOString(),
    ...(parent && { parent: { id: parent.uuid, name: parent.name } }),
  };
}
