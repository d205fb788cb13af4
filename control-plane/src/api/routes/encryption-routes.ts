import type { FastifyInstance } from 'fastify';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { findDeleted } from '../../catalog/deleted-databases.js';
import { AdminRefusal } from '../../data-node/admin-client.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { requireDatabase } from './database-routes.js';

const rekeyBody = {
  type: 'object',
  additionalProperties: false,
  properties: { replaces: { type: 'integer', minimum: 1 }, drop_history: { type: 'boolean' } },
} as const;

interface RekeyBody {
  replaces?: number;
  drop_history?: boolean;
}

const emptyBody = { type: 'object', additionalProperties: false } as const;

type DatabaseParameters = { Params: { database: string } };

/**
 * An extension of the Platform API: another data key for a database, why each of its data keys is there, and the destruction
 * of those of a deleted one.
 */
export function registerEncryptionRoutes(app: FastifyInstance, context: ApiContext): void {
  const { admin, catalog, organization } = context;

  app.get<DatabaseParameters>('/databases/:database/encryption', async (request) => {
    const { uuid } = await requireDatabase(request.params.database, context);
    return { encryption: await carriedOut(admin.encryption(uuid)) };
  });

  // `replaces`: a call that is repeated with it does nothing more; without it the present key is replaced.
  app.post<DatabaseParameters & { Body: RekeyBody }>(
    '/databases/:database/rekey',
    { schema: { body: rekeyBody } },
    async (request) => {
      const { uuid } = await requireDatabase(request.params.database, context);
      const { replaces = await currentKey(uuid), drop_history: dropHistory } = request.body;
      const asked = { replaces, ...(dropHistory === true && { dropHistory }) };
      return { encryption: await carriedOut(admin.rekey(uuid, asked)) };
    },
  );

  app.post<DatabaseParameters>(
    '/deleted-databases/:database/shred',
    { schema: { body: emptyBody } },
    async (request) => {
      const uuid = await deletedUuid(request.params.database);
      // The name alone may have been given to several tokens, one after the other.
      const { tokenName, tokenId } = request.principal;
      const requestedBy = `platform token ${tokenName} (${tokenId})`;
      return { certificate: await carriedOut(admin.shred(uuid, { requestedBy })) };
    },
  );

  app.get<DatabaseParameters>('/deleted-databases/:database/certificate', async (request) => ({
    certificate: await carriedOut(admin.certificate(await deletedUuid(request.params.database))),
  }));

  const currentKey = async (uuid: DatabaseId): Promise<number> => {
    const { currentKey: number } = await carriedOut(admin.encryption(uuid));
    if (typeof number === 'number') return number;
    throw new ControlPlaneError('DATA_PLANE_REFUSED', 'the data node names no current data key');
  };

  const deletedUuid = async (uuidOrName: string): Promise<DatabaseId> => {
    const deleted = await findDeleted(catalog, organization, uuidOrName);
    if (deleted) return deleted.uuid;
    throw new ControlPlaneError('DELETED_DATABASE_NOT_FOUND', `could not find deleted database ${uuidOrName}`);
  };
}

/** What the data plane refuses is said in its words. */
async function carriedOut<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof AdminRefusal)) throw error;
    const code = error.code === 'CERTIFICATE_NOT_FOUND' ? error.code : 'DATABASE_REFUSED';
    throw new ControlPlaneError(code, error.message, { cause: error });
  }
}
