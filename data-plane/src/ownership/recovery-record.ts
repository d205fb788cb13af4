/**
 * A recovery record says what an ended epoch made durable: for each database and term the fragments in its log. It is
 * created once, after the log was sealed, and is the permission to claim the epoch's databases. It copies no data and
 * needs no key.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import type { FormatLevel } from '../storage/format-level.js';
import { fragmentLocationSchema, type FragmentLocation } from '../storage/log-location.js';
import { recoveryRecordName } from '../storage/object-names.js';
import { StoredJson } from '../storage/stored-json.js';

interface LoggedTerm {
  readonly term: number;
  readonly fragments: readonly FragmentLocation[];
}

export interface RecoveryRecord {
  readonly epoch: NodeEpoch;
  /** Position of the seal: the log holds everything below and nothing from here on. */
  readonly sealedAt: number;
  readonly databases: Readonly<Record<DatabaseId, readonly LoggedTerm[]>>;
}

const storedRecoveryRecord = new StoredJson<RecoveryRecord>('turso-byoc/recovery/1', {
  type: 'object',
  properties: {
    epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    sealedAt: { type: 'integer', minimum: 0 },
    databases: {
      type: 'object',
      additionalProperties: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            term: { type: 'integer', minimum: 0 },
            fragments: { type: 'array', items: fragmentLocationSchema },
          },
          required: ['term', 'fragments'],
          additionalProperties: false,
        },
      },
    },
  },
  required: ['epoch', 'sealedAt', 'databases'],
  additionalProperties: false,
});

/** The record of an epoch, or undefined when it has none: the epoch is not recovered. */
export async function readRecoveryRecord(
  runtime: Runtime,
  store: ObjectStore,
  epoch: NodeEpoch,
): Promise<RecoveryRecord | undefined> {
  const key = recoveryRecordName(epoch);
  const object = await readWithRetry(runtime, key, () => store.get(key));
  return object && decode(epoch, object.body);
}

/** Creates the record, in the oldest version unless `formats` allows a newer one. When another recoverer was faster its record is the truth and is returned. */
export async function createRecoveryRecord(
  runtime: Runtime,
  store: ObjectStore,
  record: RecoveryRecord,
  formats?: FormatLevel,
): Promise<RecoveryRecord> {
  const key = recoveryRecordName(record.epoch);
  const body = storedRecoveryRecord.encode(record, formats?.current);
  const written = await conditionalWrite(runtime, store, key, body, { ifAbsent: true });
  if (written.won) return record;
  if (!written.current) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} was deleted`);
  return decode(record.epoch, written.current.body);
}

/** What the epoch logged for one database under one term. */
export function recoveredFragments(
  record: Pick<RecoveryRecord, 'databases'>,
  database: DatabaseId,
  term: number,
): readonly FragmentLocation[] {
  const terms = Object.hasOwn(record.databases, database) ? record.databases[database] : undefined;
  return terms?.find((logged) => logged.term === term)?.fragments ?? [];
}

function decode(epoch: NodeEpoch, body: Buffer): RecoveryRecord {
  const key = recoveryRecordName(epoch);
  const record = storedRecoveryRecord.decode(key, body);
  if (record.epoch !== epoch)
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another epoch`);
  return record;
}
