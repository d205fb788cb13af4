import type { FastifyInstance } from 'fastify';
import { assertDatabaseAddress } from '@turso-byoc/data-plane/naming/host-label.js';
import { findDeleted, listDeleted, type DeletedDatabase } from '../../catalog/deleted-databases.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { hostnameOf } from './database-routes.js';

const undeleteBody = {
  type: 'object',
  additionalProperties: false,
  properties: { name: { type: 'string' } },
} as const;

/** An extension of the Platform API: databases that were deleted, and how to bring them back. */
export function registerDeletedDatabaseRoutes(app: FastifyInstance, context: ApiContext): void {
  const { catalog, organization } = context;

  app.get('/deleted-databases', async () => {
    const deleted = await listDeleted(catalog, organization);
    return { databases: deleted.map(toDeletedObject) };
  });

  // By DbId, or by name: then the one that was deleted last.
  app.post<{ Params: { database: string }; Body: { name?: string } }>(
    '/deleted-databases/:database/undelete',
    { schema: { body: undeleteBody } },
    async (request) => {
      const deleted = await findDeleted(catalog, organization, request.params.database);
      if (deleted === undefined) {
        throw new ControlPlaneError(
          'DELETED_DATABASE_NOT_FOUND',
          `could not find deleted database ${request.params.database}`,
        );
      }
      const name = request.body.name ?? deleted.name;
      assertDatabaseAddress({ database: name, organization });
      const record = await context.lifecycle.undelete(deleted, name);
      return { database: { DbId: record.uuid, Hostname: hostnameOf(record, context), Name: record.name } };
    },
  );
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
