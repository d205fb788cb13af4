import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Logger } from 'pino';
import type { DatabaseDescription, DatabaseService, NewDatabase } from '../database/database-service.js';
import type { WrappingChange } from '../database/change-wrapping.js';
import type { HoldChange, HoldRelease, HoldRequest, HoldState } from '../database/hold-database.js';
import type { RekeyRequest } from '../database/rekey-database.js';
import type { DumpSeed } from '../database/seed-from-dump.js';
import type { ShredRequest } from '../database/shred-database.js';
import { ByocError } from '../errors/catalogue.js';
import { errorBody } from '../errors/error-body.js';
import type { DatabaseId } from '../identity.js';
import type { Metrics } from '../metering/metrics.js';
import type { UsageReader } from '../metering/stored-usage.js';
import type { UsageBatch } from '../metering/usage-batch.js';
import { assertDatabaseAddress } from '../naming/host-label.js';
import type { Runtime } from '../runtime.js';
import type { Tracing } from '../tracing/tracing.js';
import { dumpChunkBytes, dumpKeyBytes, maxDumpChunks } from '../storage/staged-dump.js';
import { AdminCredential } from './admin-credential.js';
import {
  collectedUsageSchema,
  creationsSchema,
  databaseIdSchema,
  dumpChunkSchema,
  dumpSchema,
  dumpSeedSchema,
  holdReleaseSchema,
  holdSchema,
  inventorySchema,
  newDatabaseSchema,
  rekeySchema,
  rewrapSchema,
  shredSchema,
  sinceSchema,
  undeleteSchema,
  wrappingSchema,
} from './admin-schemas.js';
import { forwardedHeader } from './forwarding.js';
import { defaultHttpLimits, type HttpLimits } from './http-limits.js';
import { createHttpServer } from './http-server.js';
import { sendJson } from './plain-replies.js';

export interface AdminServerOptions {
  readonly databases: Pick<
    DatabaseService,
    | 'find'
    | 'describe'
    | 'inventory'
    | 'storedBytes'
    | 'topStatements'
    | 'stageDump'
    | 'removeDump'
    | 'loadDump'
    | 'create'
    | 'delete'
    | 'undelete'
    | 'collect'
    | 'rewrap'
    | 'rekey'
    | 'changeWrapping'
    | 'encryption'
    | 'shred'
    | 'certificate'
    | 'changeHold'
    | 'holds'
  >;
  readonly usage: UsageReader;
  /** The bearer credential that the control plane and the metrics collector present. */
  readonly credential: string;
  readonly metrics: Metrics;
  readonly runtime: Runtime;
  readonly log: Logger;
  readonly tracing?: Tracing | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export const adminPrefix = '/admin/v1';
/** Every entry is a manifest that is read. */
const maxInventoryPage = 200;

/**
 * The face that the control plane sees: the lifecycle of databases, and metrics. It listens on a port of its own that no
 * SQL client reaches. Returns a Fastify instance that is not listening. Throws `RangeError` for a too short credential.
 *
 * Creation, deletion and undeletion may be repeated: the same call again gives the same answer.
 */
export function createAdminServer(options: AdminServerOptions): FastifyInstance {
  const { databases, usage, metrics, runtime, log, tracing } = options;
  const credential = new AdminCredential(options.credential);
  const limits = { ...defaultHttpLimits, maxBodyBytes: 64 * 1024, ...options.limits };
  const create = async (database: NewDatabase, isForwarded: boolean): Promise<DatabaseDescription> => {
    const { name, organization, keyId, encryption } = database;
    assertDatabaseAddress({ database: name, organization });
    if (keyId !== undefined && encryption !== undefined) {
      throw new ByocError('MALFORMED_REQUEST', 'a key of the key service wraps the data key, or its client: not both');
    }
    return describe(await databases.create(database, { isForwarded }));
  };
  const changeHold = async (id: DatabaseId, change: HoldChange, isForwarded: boolean): Promise<{ hold: HoldState }> => {
    const hold = await databases.changeHold(id, change, { isForwarded });
    const { reference, requestedBy } = change.kind === 'place' ? change.hold : change.release;
    // Beside the manifest, which keeps who placed and who released it.
    if (!isForwarded) log.info({ database: id, reference, requestedBy, change: change.kind }, 'legal hold');
    return { hold };
  };
  const { app } = createHttpServer({
    log,
    metrics,
    runtime,
    limits,
    tracing,
    routes: (routes, { errors }) => {
      // Unknown routes included: without the credential there is nothing to learn here.
      routes.addHook('onRequest', (request, _reply, next) => {
        credential.assert(request.headers.authorization);
        next();
      });

      routes.post<{ Body: NewDatabase }>(
        `${adminPrefix}/databases`,
        { schema: { body: newDatabaseSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          return sendJson(reply, { database: await create(request.body, isForwarded) });
        },
      );

      // Each as the call above would have it: what becomes of one is nothing to the others.
      routes.post<{ Body: { databases: readonly NewDatabase[] } }>(
        `${adminPrefix}/creations`,
        { schema: { body: creationsSchema } },
        async (request, reply) => {
          const results = request.body.databases.map(async (database) => {
            try {
              return { database: await create(database, false) };
            } catch (thrown) {
              const { error } = errors.refuse(thrown, request.method, request.originalUrl);
              return { status: error.status, ...errorBody(error) };
            }
          });
          return sendJson(reply, { results: await Promise.all(results) });
        },
      );

      routes.get<{ Querystring: { after?: DatabaseId; limit?: string } }>(
        `${adminPrefix}/databases`,
        { schema: { querystring: inventorySchema } },
        async ({ query: { after, limit } }, reply) => {
          const most = limit === undefined ? maxInventoryPage : Math.min(Number(limit), maxInventoryPage);
          const entries = await databases.inventory(after, most);
          return sendJson(reply, {
            databases: entries.map((entry) => ({
              ...describe(entry),
              ...(entry.deletedAtMs !== undefined && { deletedAtMs: entry.deletedAtMs }),
              ...(entry.holds && { holds: entry.holds }),
            })),
            next: entries.length < most ? null : (entries.at(-1)?.id ?? null),
          });
        },
      );

      routes.get<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id/storage`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => sendJson(reply, { bytes: await databases.storedBytes(request.params.id) }),
      );

      routes.get<{ Params: { id: DatabaseId }; Querystring: { since: string } }>(
        `${adminPrefix}/databases/:id/statements`,
        { schema: { params: databaseIdSchema, querystring: sinceSchema } },
        async ({ params: { id }, query: { since }, headers }, reply) => {
          const isForwarded = headers[forwardedHeader] !== undefined;
          return sendJson(reply, { statements: await databases.topStatements(id, Number(since), { isForwarded }) });
        },
      );

      routes.get<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => sendDatabase(reply, await databases.describe(request.params.id)),
      );

      routes.get<{ Params: { organization: string; name: string } }>(
        `${adminPrefix}/organizations/:organization/databases/:name`,
        async ({ params: { organization, name } }, reply) => {
          assertDatabaseAddress({ database: name, organization });
          return sendDatabase(reply, await databases.find(organization, name));
        },
      );

      routes.delete<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          await databases.delete(request.params.id, { isForwarded });
          return sendJson(reply, {});
        },
      );

      routes.post<{ Params: { id: DatabaseId }; Body: { name?: string } }>(
        `${adminPrefix}/databases/:id/undelete`,
        { schema: { params: databaseIdSchema, body: undeleteSchema } },
        async (request, reply) => {
          const { name } = request.body;
          return sendDatabase(reply, await databases.undelete(request.params.id, name));
        },
      );

      routes.post<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id/collect`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          await databases.collect(request.params.id, { isForwarded });
          return sendJson(reply, {});
        },
      );

      routes.post<{ Params: { id: DatabaseId }; Body: { keyId: string } }>(
        `${adminPrefix}/databases/:id/rewrap`,
        { schema: { params: databaseIdSchema, body: rewrapSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          const changed = await databases.rewrap(request.params.id, request.body.keyId, { isForwarded });
          return sendJson(reply, { changed });
        },
      );

      routes.post<{ Params: { id: DatabaseId }; Body: RekeyRequest }>(
        `${adminPrefix}/databases/:id/rekey`,
        { schema: { params: databaseIdSchema, body: rekeySchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          const encryption = await databases.rekey(request.params.id, request.body, { isForwarded });
          return sendJson(reply, { encryption });
        },
      );

      routes.get<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id/encryption`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => sendJson(reply, { encryption: await databases.encryption(request.params.id) }),
      );

      routes.post<{ Params: { id: DatabaseId }; Body: WrappingChange }>(
        `${adminPrefix}/databases/:id/encryption`,
        { schema: { params: databaseIdSchema, body: wrappingSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          const encryption = await databases.changeWrapping(request.params.id, request.body, { isForwarded });
          return sendJson(reply, { encryption });
        },
      );

      routes.post<{ Params: { id: DatabaseId }; Body: ShredRequest }>(
        `${adminPrefix}/databases/:id/shred`,
        { schema: { params: databaseIdSchema, body: shredSchema } },
        async (request, reply) => {
          const isForwarded = request.headers[forwardedHeader] !== undefined;
          const certificate = await databases.shred(request.params.id, request.body, { isForwarded });
          return sendJson(reply, { certificate });
        },
      );

      routes.get<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id/certificate`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => sendJson(reply, { certificate: await databases.certificate(request.params.id) }),
      );

      routes.get<{ Params: { id: DatabaseId } }>(
        `${adminPrefix}/databases/:id/hold`,
        { schema: { params: databaseIdSchema } },
        async (request, reply) => sendJson(reply, { hold: await databases.holds(request.params.id) }),
      );

      routes.put<{ Params: { id: DatabaseId }; Body: HoldRequest }>(
        `${adminPrefix}/databases/:id/hold`,
        { schema: { params: databaseIdSchema, body: holdSchema } },
        async ({ params: { id }, body: hold, headers }, reply) =>
          sendJson(reply, await changeHold(id, { kind: 'place', hold }, headers[forwardedHeader] !== undefined)),
      );

      routes.delete<{ Params: { id: DatabaseId }; Querystring: HoldRelease }>(
        `${adminPrefix}/databases/:id/hold`,
        { schema: { params: databaseIdSchema, querystring: holdReleaseSchema } },
        async ({ params: { id }, query: release, headers }, reply) =>
          sendJson(reply, await changeHold(id, { kind: 'release', release }, headers[forwardedHeader] !== undefined)),
      );

      // Its key, then its text; the key is in no address, so that it is in no log.
      routes.addContentTypeParser(
        'application/octet-stream',
        { parseAs: 'buffer', bodyLimit: dumpKeyBytes + dumpChunkBytes },
        (_request, body, parsed) => parsed(null, body),
      );
      routes.put<{ Params: { dump: string; chunk: string }; Body: Buffer }>(
        `${adminPrefix}/dumps/:dump/:chunk`,
        { schema: { params: dumpChunkSchema }, bodyLimit: dumpKeyBytes + dumpChunkBytes },
        async ({ params: { dump, chunk }, body }, reply) => {
          if (!Buffer.isBuffer(body) || body.length <= dumpKeyBytes || Number(chunk) >= maxDumpChunks) {
            throw new ByocError('MALFORMED_REQUEST', 'a chunk of a dump is a key and text');
          }
          const [key, content] = [body.subarray(0, dumpKeyBytes), body.subarray(dumpKeyBytes)];
          await databases.stageDump(dump, Number(chunk), key, content);
          return sendJson(reply, {});
        },
      );

      routes.delete<{ Params: { dump: string } }>(
        `${adminPrefix}/dumps/:dump`,
        { schema: { params: dumpSchema } },
        async (request, reply) => {
          await databases.removeDump(request.params.dump);
          return sendJson(reply, {});
        },
      );
      routes.post<{ Params: { id: DatabaseId }; Body: DumpSeed }>(
        `${adminPrefix}/databases/:id/dump`,
        { schema: { params: databaseIdSchema, body: dumpSeedSchema } },
        async ({ params: { id }, body, headers }, reply) => {
          await databases.loadDump(id, body, { isForwarded: headers[forwardedHeader] !== undefined });
          return sendJson(reply, {});
        },
      );

      // What databases used, of all nodes, until it is said to have been added up.
      routes.get(`${adminPrefix}/usage`, async (_request, reply) => sendJson(reply, await usage.page()));

      routes.post<{ Body: { batches: readonly Pick<UsageBatch, 'epoch' | 'sequence'>[] } }>(
        `${adminPrefix}/usage/collected`,
        { schema: { body: collectedUsageSchema } },
        async (request, reply) => {
          await usage.remove(request.body.batches);
          return sendJson(reply, {});
        },
      );

      routes.get(`${adminPrefix}/metrics`, async (_request, reply) => {
        const { contentType, text } = await metrics.expose();
        return reply.header('content-type', contentType).send(Buffer.from(text, 'utf8'));
      });
    },
  });
  return app;
}

function sendDatabase(reply: FastifyReply, database: DatabaseDescription | undefined): FastifyReply {
  if (database === undefined) throw new ByocError('DATABASE_NOT_FOUND', 'there is no such database');
  return sendJson(reply, { database: describe(database) });
}

/** Exactly the documented fields, whatever else a service's own object carries. */
function describe(database: DatabaseDescription): DatabaseDescription {
  const { id, name, organization, group, engine, createdAtMs, keyId, encryptionCipher, parent, awaitsFile } = database;
  return {
    id,
    name,
    organization,
    group: { id: group.id, name: group.name },
    engine,
    createdAtMs,
    ...(keyId !== undefined && { keyId }),
    ...(encryptionCipher !== undefined && { encryptionCipher }),
    ...(parent && { parent: { id: parent.id, name: parent.name, branchedAtMs: parent.branchedAtMs } }),
    ...(awaitsFile === true && { awaitsFile }),
  };
}
