/**
 * A recovery record says what an ended epoch made durable: for each database and term the fragments in its log. It is
 * created once, after the log was sealed, and is the permission to claim the epoch's databases. It copies no data and
 * needs no key.
 *
 * Stored are a head of two lines, which has its kind and version as all stored JSON has, and the lines of the databases,
 * of which the head has the digest. A later version keeps to that, so that it is told from damage.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import type { FormatLevel } from '../storage/format-level.js';
import type { FragmentLocation } from '../storage/log-location.js';
import { hashing, joining } from '../storage/long-buffers.js';
import { recoveryRecordName } from '../storage/object-names.js';
import { StoredJson } from '../storage/stored-json.js';
import { Turns, type Work } from '../turns.js';
import { RecoveredDatabases } from './recovered-databases.js';

export interface RecoveryRecord {
  readonly epoch: NodeEpoch;
  /** Position of the seal: the log holds everything below and nothing from here on. */
  readonly sealedAt: number;
  readonly databases: RecoveredDatabases;
}

interface RecordHead {
  readonly epoch: NodeEpoch;
  readonly sealedAt: number;
  /** SHA-256 of the lines. */
  readonly databases: string;
}

const newline = '\n';

const storedHead = new StoredJson<RecordHead>('turso-byoc/recovery/1', {
  type: 'object',
  properties: {
    epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    sealedAt: { type: 'integer', minimum: 0 },
    databases: { type: 'string', pattern: '^[0-9a-f]{64}$' },
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
  return object && new Turns(runtime, 'commit').run(decode(epoch, object.body));
}

/** Creates the record, in the oldest version unless `formats` allows a newer one. When another recoverer was faster its record is the truth and is returned. */
export async function createRecoveryRecord(
  runtime: Runtime,
  store: ObjectStore,
  record: RecoveryRecord,
  formats?: FormatLevel,
): Promise<RecoveryRecord> {
  const key = recoveryRecordName(record.epoch);
  const turns = new Turns(runtime, 'commit');
  const body = await turns.run(encode(record, formats));
  const written = await conditionalWrite(runtime, store, key, body, { ifAbsent: true });
  if (written.won) return record;
  if (!written.current) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} was deleted`);
  return turns.run(decode(record.epoch, written.current.body));
}

/** What the epoch logged for one database under one term. Throws `STORE_OBJECT_CORRUPT`. */
export function recoveredFragments(
  record: Pick<RecoveryRecord, 'databases'>,
  database: DatabaseId,
  term: number,
): readonly FragmentLocation[] {
  return record.databases.fragments(database, term);
}

function* encode({ epoch, sealedAt, databases: { lines } }: RecoveryRecord, formats?: FormatLevel): Work<Buffer> {
  const databases = (yield* hashing(lines)).toString('hex');
  const head = storedHead.encode({ epoch, sealedAt, databases }, formats?.current);
  return yield* joining([head, Buffer.from(newline), lines]);
}

function* decode(epoch: NodeEpoch, body: Buffer): Work<RecoveryRecord> {
  const key = recoveryRecordName(epoch);
  const headEnd = body.indexOf(newline, body.indexOf(newline) + 1);
  const head = storedHead.decode(key, body.subarray(0, Math.max(headEnd, 0)));
  if (head.epoch !== epoch) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another epoch`);
  }
  const lines = body.subarray(headEnd + newline.length);
  if ((yield* hashing(lines)).toString('hex') !== head.databases) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is damaged: its databases do not match their digest`);
  }
  return { epoch, sealedAt: head.sealedAt, databases: yield* RecoveredDatabases.decode(key, lines) };
}
