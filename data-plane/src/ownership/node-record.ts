/**
 * Node records: one per epoch, changed only by If-Match with a rising version, never deleted. A record that was condemned
 * can never come back to life, and a stalled node finds it condemned for ever.
 */
import { ByocError } from '../errors/catalogue.js';
import { nodeEpoch, type NodeEpoch } from '../identity.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import { nodeRecordName, nodeRecordPrefix } from '../storage/object-names.js';
import { StoredJson } from '../storage/stored-json.js';

export interface NodeRecord {
  readonly version: number;
  readonly epoch: NodeEpoch;
  readonly state: 'live' | 'condemned' | 'stopped';
  readonly startedAtMs: number;
  /** What lies below this position of the epoch's log and is not folded is in a pack. */
  readonly lowWaterPosition: number;
  /** Numbers of the packs that hold it. */
  readonly packs: readonly number[];
  /** Position 0 of the log was stored before this record: a log without it has been lost, not never written. */
  readonly logBegun?: true;
}

export interface VersionedNodeRecord {
  readonly record: NodeRecord;
  readonly etag: ETag;
}

const storedNodeRecord = new StoredJson<NodeRecord>('turso-byoc/node/1', {
  type: 'object',
  properties: {
    version: { type: 'integer', minimum: 1 },
    epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    state: { enum: ['live', 'condemned', 'stopped'] },
    startedAtMs: { type: 'integer', minimum: 0 },
    lowWaterPosition: { type: 'integer', minimum: 0 },
    packs: { type: 'array', items: { type: 'integer', minimum: 1 } },
    logBegun: { const: true },
  },
  required: ['version', 'epoch', 'state', 'startedAtMs', 'lowWaterPosition', 'packs'],
  additionalProperties: false,
});

/** Announces a new epoch. */
export async function createNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  epoch: NodeEpoch,
  more: Pick<NodeRecord, 'logBegun'> = {},
): Promise<VersionedNodeRecord> {
  const startedAtMs = runtime.nowMs();
  const record: NodeRecord = { version: 1, epoch, state: 'live', startedAtMs, lowWaterPosition: 0, packs: [], ...more };
  const written = await conditionalWrite(runtime, store, nodeRecordName(epoch), storedNodeRecord.encode(record), {
    ifAbsent: true,
  });
  if (!written.won) throw new Error(`node epoch ${epoch} exists already`);
  return { record, etag: written.etag };
}

/** Throws `STORE_OBJECT_MISSING`: an epoch without a record was never announced, or the store lost it. */
export async function readNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  epoch: NodeEpoch,
): Promise<VersionedNodeRecord> {
  const key = nodeRecordName(epoch);
  const object = await readWithRetry(runtime, key, () => store.get(key));
  if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  const record = storedNodeRecord.decode(key, object.body);
  if (record.epoch !== epoch)
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another epoch`);
  return { record, etag: object.etag };
}

/** Changes a record; undefined when it was changed by someone else first. */
export async function replaceNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  base: VersionedNodeRecord,
  change: Partial<Pick<NodeRecord, 'state' | 'lowWaterPosition' | 'packs'>>,
): Promise<VersionedNodeRecord | undefined> {
  const record = { ...base.record, ...change, version: base.record.version + 1 };
  const written = await conditionalWrite(
    runtime,
    store,
    nodeRecordName(record.epoch),
    storedNodeRecord.encode(record),
    {
      ifMatch: base.etag,
    },
  );
  return written.won ? { record, etag: written.etag } : undefined;
}

/** Every epoch that was ever announced. */
export async function* listEpochs(runtime: Runtime, store: ObjectStore): AsyncGenerator<NodeEpoch> {
  let after: string | undefined;
  do {
    const page = await readWithRetry(runtime, nodeRecordPrefix, () =>
      store.list(nodeRecordPrefix, after === undefined ? {} : { after }),
    );
    for (const key of page.keys) yield nodeEpoch(key.slice(nodeRecordPrefix.length));
    after = page.next;
  } while (after !== undefined);
}
