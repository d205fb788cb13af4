/**
 * Node records: one per epoch, changed only by If-Match with a rising version, never deleted. A record that was condemned
 * can never come back to life, and a stalled node finds it condemned for ever.
 */
import { ByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import { newestFormatLevel, type FormatLevel } from '../storage/format-level.js';
import { nodeRecordName } from '../storage/object-names.js';
import { StoredJson } from '../storage/stored-json.js';

/** Where the other nodes of a deployment reach a node. */
export interface NodeAddress {
  /** Host name or IP address, without brackets. */
  readonly host: string;
  /** Port of the SQL interface. */
  readonly httpPort: number;
  readonly adminPort: number;
}

export interface NodeRecord {
  readonly version: number;
  readonly epoch: NodeEpoch;
  /** `draining`: it hands its databases over and takes no new ones. Only a living node's record is renewed. */
  readonly state: 'live' | 'draining' | 'condemned' | 'stopped';
  readonly startedAtMs: number;
  /** Absent until the node serves. */
  readonly address?: NodeAddress;
  /** No unfolded fragment lies below this position of the epoch's log, but for those in `packs`. */
  readonly lowWaterPosition: number;
  /** Numbers of the packs that hold unfolded fragments from below the low-water position. */
  readonly packs: readonly number[];
  /** Position 0 of the log was stored before this record: a log without it has been lost, not never written. */
  readonly logBegun?: true;
  /** The highest format level that the node's release reads. */
  readonly formatLevel: number;
}

/** What its own node, or whoever condemns it, may change. */
export type NodeRecordChange = Partial<Pick<NodeRecord, 'state' | 'address' | 'lowWaterPosition' | 'packs'>>;

export interface VersionedNodeRecord {
  readonly record: NodeRecord;
  readonly etag: ETag;
}

/** A record names no more packs than this. */
export const mostPacks = 4096;

const count = { type: 'integer', minimum: 0 } as const;
const port = { type: 'integer', minimum: 1, maximum: 65_535 } as const;

const storedNodeRecord = new StoredJson<NodeRecord>('turso-byoc/node/1', {
  type: 'object',
  properties: {
    version: { type: 'integer', minimum: 1 },
    epoch: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    state: { enum: ['live', 'draining', 'condemned', 'stopped'] },
    startedAtMs: count,
    address: {
      type: 'object',
      properties: {
        host: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,253}$' },
        httpPort: port,
        adminPort: port,
      },
      required: ['host', 'httpPort', 'adminPort'],
      additionalProperties: false,
    },
    lowWaterPosition: count,
    packs: { type: 'array', items: { type: 'integer', minimum: 1 }, maxItems: mostPacks },
    logBegun: { const: true },
    formatLevel: { type: 'integer', minimum: 1 },
  },
  required: ['version', 'epoch', 'state', 'startedAtMs', 'lowWaterPosition', 'packs', 'formatLevel'],
  additionalProperties: false,
});

/** Announces a new epoch. */
export async function createNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  epoch: NodeEpoch,
  more: Pick<NodeRecord, 'logBegun'> = {},
  formats?: FormatLevel,
): Promise<VersionedNodeRecord> {
  const startedAtMs = runtime.nowMs();
  const record: NodeRecord = {
    version: 1,
    epoch,
    state: 'live',
    startedAtMs,
    lowWaterPosition: 0,
    packs: [],
    formatLevel: newestFormatLevel,
    ...more,
  };
  const body = encodeNodeRecord(record, formats);
  const written = await conditionalWrite(runtime, store, nodeRecordName(epoch), body, { ifAbsent: true });
  if (!written.won) throw new Error(`node epoch ${epoch} exists already`);
  return { record, etag: written.etag };
}

/** Throws `STORE_OBJECT_MISSING`: an epoch without a record was never announced, or the store lost it. */
export async function readNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  epoch: NodeEpoch,
  formats?: FormatLevel,
): Promise<VersionedNodeRecord> {
  const key = nodeRecordName(epoch);
  const object = await readWithRetry(runtime, key, () => store.get(key));
  if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  return { record: decodeNodeRecord(epoch, object.body, formats), etag: object.etag };
}

/** Changes a record; undefined when it was changed by someone else first. */
export async function replaceNodeRecord(
  runtime: Runtime,
  store: ObjectStore,
  base: VersionedNodeRecord,
  change: NodeRecordChange,
  formats?: FormatLevel,
): Promise<VersionedNodeRecord | undefined> {
  const record = changedNodeRecord(base.record, change);
  const key = nodeRecordName(record.epoch);
  const body = encodeNodeRecord(record, formats);
  const written = await conditionalWrite(runtime, store, key, body, { ifMatch: base.etag });
  return written.won ? { record, etag: written.etag } : undefined;
}

/** The next version of a record. */
export function changedNodeRecord(base: NodeRecord, change: NodeRecordChange): NodeRecord {
  return { ...base, ...change, version: base.version + 1 };
}

/** `formats`: what may be written; the oldest version by default. */
export function encodeNodeRecord(record: NodeRecord, formats?: FormatLevel): Buffer {
  return storedNodeRecord.encode(record, formats?.current);
}

/** Throws `STORE_OBJECT_CORRUPT`, also for the record of another epoch. */
export function decodeNodeRecord(epoch: NodeEpoch, body: Buffer, formats?: FormatLevel): NodeRecord {
  const key = nodeRecordName(epoch);
  const record = storedNodeRecord.decode(key, body, formats);
  if (record.epoch !== epoch)
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another epoch`);
  return record;
}
