import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import { noteInAudit } from '../../audit/audited-call.js';
import { setEncryption } from '../../catalog/databases.js';
import { findDeleted, type DeletedDatabase } from '../../catalog/deleted-databases.js';
import { AdminRefusal } from '../../data-node/admin-client.js';
import { ControlPlaneError } from '../../errors/catalogue.js';
import type { ApiContext } from '../api-context.js';
import { defineRoute, mayDo } from '../define-route.js';
import { onlyGroup, requireDatabase } from '../named-resources.js';
import { newClientEncryption, parseRemoteEncryption } from '../remote-encryption.js';
import { anything, flag, input, integer, list, object, orNull, text } from '../schemas.js';

interface RekeyBody {
  replaces?: number | null;
  drop_history?: boolean | null;
}

interface HolderBody {
  /** As in a creation; nothing stands for the key service, with the deployment's key. */
  remote_encryption?: unknown;
  /** The key that the client holds now. */
  encryption_key?: string | null;
}

type DatabaseRoute = { Params: { database: string } };

/** As the data plane says it; docs/keys.md says what each field means. */
const encryptionObject = object(
  {
    id: text,
    mode: { enum: ['kms', 'client'] },
    cipher: text,
    currentKey: integer,
    currentKeySinceMs: integer,
    isResealed: flag,
    dataKeys: list(
      object(
        {
          number: integer,
          keyId: text,
          retiredAtMs: integer,
          reasons: list(object({ because: text })),
        },
        ['keyId', 'retiredAtMs'],
      ),
    ),
  },
  ['cipher'],
);
const certificateObject = object({
  database: text,
  name: text,
  requestedBy: text,
  requestedAtMs: integer,
  recordedAtMs: integer,
  destroyedAtMs: integer,
  keys: list(object({ number: integer, keyId: text }, ['keyId'])),
  manifestVersion: integer,
  manifestDigest: text,
  olderVersions: integer,
  heirs: list(object({ database: text, name: text })),
  copies: list(text),
});

/**
 * An extension of the Platform API: another data key for a database, why each of its data keys is there, and the destruction
 * of those of a deleted one.
 */
export function registerEncryptionRoutes(app: FastifyInstance, context: ApiContext): void {
  const { admin } = context;

  defineRoute<DatabaseRoute>(app, {
    method: 'GET',
    url: '/databases/:database/encryption',
    operation: 'getEncryption',
    summary: 'Which data keys a database has, and why each is there.',
    access: mayDo('read'),
    errors: ['DATABASE_NOT_FOUND', 'DATABASE_REFUSED', 'DATA_PLANE_REFUSED', 'ENCRYPTION_INVALID'],
    answer: object({ encryption: encryptionObject }),
    handler: async (request) => {
      const { uuid } = await requireDatabase(request, request.params.database, context);
      return { encryption: await carriedOut(admin.encryption(uuid)) };
    },
  });

  // `replaces`: a call that is repeated with it does nothing more; without it the present key is replaced.
  defineRoute<DatabaseRoute & { Body: RekeyBody }>(app, {
    method: 'POST',
    url: '/databases/:database/rekey',
    operation: 'rekeyDatabase',
    summary: 'Gives a database another data key, and seals what it holds anew in the background.',
    access: mayDo('db:configure'),
    errors: ['DATABASE_HELD', 'DATABASE_NOT_FOUND', 'DATABASE_REFUSED', 'DATA_PLANE_REFUSED', 'ENCRYPTION_INVALID'],
    audit: 'db-rekey',
    body: input({ replaces: orNull({ type: 'integer', minimum: 1 }), drop_history: orNull(flag) }),
    answer: object({ encryption: encryptionObject }),
    handler: async (request) => {
      const record = await requireDatabase(request, request.params.database, context);
      noteInAudit({ database: record.name, id: record.uuid, group: record.group.name });
      const replaces = request.body.replaces ?? (await currentKey(record.uuid));
      await recordCall();
      const dropHistory = request.body.drop_history === true;
      const asked = { replaces, ...(dropHistory && { dropHistory }) };
      return { encryption: await carriedOut(admin.rekey(record.uuid, asked)) };
    },
  });

  defineRoute<DatabaseRoute & { Body: HolderBody }>(app, {
    method: 'POST',
    url: '/databases/:database/encryption',
    operation: 'changeKeyHolder',
    summary: 'Changes who holds the key of a database: the key service, its client, or the client with another key.',
    access: mayDo('db:configure'),
    errors: [
      'DATABASE_HELD',
      'DATABASE_NOT_FOUND',
      'DATABASE_REFUSED',
      'DATA_PLANE_REFUSED',
      'ENCRYPTION_INVALID',
      'MALFORMED_REQUEST',
      'OPTION_NOT_OFFERED',
    ],
    audit: 'db-key-holder',
    body: input({ remote_encryption: {}, encryption_key: orNull(text) }),
    answer: object({ encryption: encryptionObject }),
    handler: async (request) => {
      const { remote_encryption: asked, encryption_key: present } = request.body;
      const holder = parseRemoteEncryption(asked);
      const client = holder && 'clientKey' in holder ? newClientEncryption(holder.clientKey) : undefined;
      const keyId = holder && 'keyId' in holder ? holder.keyId : undefined;
      const record = await requireDatabase(request, request.params.database, context);
      noteInAudit({ database: record.name, id: record.uuid, group: record.group.name });
      await recordCall();
      const encryption = await carriedOut(
        admin.changeHolder(record.uuid, {
          ...(typeof present === 'string' && { encryption: { key: present } }),
          to: client ? { mode: 'client', ...client } : { mode: 'kms', ...(keyId !== undefined && { keyId }) },
        }),
      );
      // After the data plane: a call that was cut off before this is repeated.
      await setEncryption(context.catalog, record.uuid, {
        ...(keyId !== undefined && { keyId }),
        ...(client && { encryptionCipher: client.cipher }),
      });
      return { encryption };
    },
  });

  defineRoute<DatabaseRoute>(app, {
    method: 'POST',
    url: '/deleted-databases/:database/shred',
    operation: 'shredDatabase',
    summary: 'Destroys what wraps the data keys of a deleted database, and its content, for good.',
    // Not what a token for one group can do.
    access: mayDo('organization:configure'),
    errors: [
      'DATABASE_HELD',
      'DATABASE_REFUSED',
      'DATA_PLANE_REFUSED',
      'DELETED_DATABASE_NOT_FOUND',
      'ENCRYPTION_INVALID',
    ],
    audit: 'db-shred',
    body: anything,
    answer: object({ certificate: certificateObject }),
    handler: async (request) => {
      const deleted = await requireDeleted(request, context);
      noteInAudit({ database: deleted.name, id: deleted.uuid });
      const { user, tokenId } = request.principal;
      await recordCall();
      const requestedBy = `${user.username}, platform token ${tokenId}`;
      return { certificate: await carriedOut(admin.shred(deleted.uuid, { requestedBy })) };
    },
  });

  defineRoute<DatabaseRoute>(app, {
    method: 'GET',
    url: '/deleted-databases/:database/certificate',
    operation: 'getShredCertificate',
    summary: 'The certificate that what wrapped the data keys of a deleted database was destroyed.',
    access: mayDo('read'),
    errors: ['CERTIFICATE_NOT_FOUND', 'DATABASE_REFUSED', 'DATA_PLANE_REFUSED', 'DELETED_DATABASE_NOT_FOUND'],
    answer: object({ certificate: certificateObject }),
    handler: async (request) => ({
      certificate: await carriedOut(admin.certificate((await requireDeleted(request, context)).uuid)),
    }),
  });

  /** The catalog itself is not changed; the audit log has the call before the data plane carries it out. */
  const recordCall = async (): Promise<void> => {
    await context.catalog.write([]);
  };

  const currentKey = async (uuid: DatabaseId): Promise<number> => {
    const { currentKey: number } = await carriedOut(admin.encryption(uuid));
    if (typeof number === 'number') return number;
    throw new ControlPlaneError('DATA_PLANE_REFUSED', 'the data node names no current data key');
  };
}

/** The deleted database of this id, or the last one of this name. Throws `DELETED_DATABASE_NOT_FOUND`. */
async function requireDeleted(
  request: FastifyRequest<DatabaseRoute>,
  { catalog }: ApiContext,
): Promise<DeletedDatabase> {
  const { database } = request.params;
  const deleted = await findDeleted(catalog, request.organization, database);
  const only = onlyGroup(request);
  if (deleted && (only === undefined || deleted.groupUuid === only)) return deleted;
  throw new ControlPlaneError('DELETED_DATABASE_NOT_FOUND', `could not find deleted database ${database}`);
}

/** What the data plane refuses is said in its words; they repeat no key. */
async function carriedOut<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof AdminRefusal)) throw error;
    const { code: refused } = error;
    const isOfKey = refused.startsWith('ENCRYPTION_');
    const isNamed = refused === 'CERTIFICATE_NOT_FOUND' || refused === 'DATABASE_HELD';
    const code = isOfKey ? 'ENCRYPTION_INVALID' : isNamed ? refused : 'DATABASE_REFUSED';
    throw new ControlPlaneError(code, error.message, { cause: error });
  }
}
