/**
 * The deployment's format level as it is stored: one object that changes only by If-Match with a rising version, never
 * deleted. Its own format is that of level 1 for ever, because every release must be able to read it.
 */
import { ByocError } from '../errors/catalogue.js';
import type { ETag, ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from './conditional-write.js';
import { firstFormatLevel, newestFormatLevel } from './format-level.js';
import { formatLevelName, nodeRecordPrefix } from './object-names.js';
import { StoredJson } from './stored-json.js';

export interface FormatLevelRecord {
  readonly version: number;
  /** What may be written. */
  readonly level: number;
  /** A raise to this level is being tried: no node may start that does not read it. */
  readonly raisingTo?: number;
}

export interface VersionedFormatLevel {
  readonly record: FormatLevelRecord;
  readonly etag: ETag;
}

const positive = { type: 'integer', minimum: 1 } as const;

const storedFormatLevel = new StoredJson<FormatLevelRecord>('turso-byoc/format-level/1', {
  type: 'object',
  properties: { version: positive, level: positive, raisingTo: positive },
  required: ['version', 'level'],
  additionalProperties: false,
});

/** Throws `STORE_OBJECT_MISSING` when the deployment has none: no node of it has ever started, or the store lost it. */
export async function readFormatLevel(runtime: Runtime, store: ObjectStore): Promise<VersionedFormatLevel> {
  const found = await recordedFormatLevel(runtime, store);
  if (found) return found;
  throw new ByocError(
    'STORE_OBJECT_MISSING',
    `object ${formatLevelName}, the format level of the deployment, is missing`,
  );
}

/**
 * The same; a deployment in which no node has ever started gets its first level. Node records, which are written later and
 * never deleted, tell it from one that lost the record. Throws `STORE_OBJECT_MISSING` for that.
 */
export async function beginFormatLevel(runtime: Runtime, store: ObjectStore): Promise<VersionedFormatLevel> {
  const found = await recordedFormatLevel(runtime, store);
  if (found) return found;
  const nodes = await readWithRetry(runtime, nodeRecordPrefix, () => store.list(nodeRecordPrefix, { limit: 1 }));
  // A node that has announced itself since then created the record before it did.
  if (nodes.keys.length > 0) return readFormatLevel(runtime, store);
  const record: FormatLevelRecord = { version: 1, level: firstFormatLevel };
  const written = await conditionalWrite(runtime, store, formatLevelName, storedFormatLevel.encode(record), {
    ifAbsent: true,
  });
  return written.won ? { record, etag: written.etag } : readFormatLevel(runtime, store);
}

/** Changes the record; undefined when it was changed by someone else first. */
export async function replaceFormatLevel(
  runtime: Runtime,
  store: ObjectStore,
  base: VersionedFormatLevel,
  next: Omit<FormatLevelRecord, 'version'>,
): Promise<VersionedFormatLevel | undefined> {
  const record: FormatLevelRecord = { ...next, version: base.record.version + 1 };
  const body = storedFormatLevel.encode(record);
  const written = await conditionalWrite(runtime, store, formatLevelName, body, { ifMatch: base.etag });
  return written.won ? { record, etag: written.etag } : undefined;
}

/** Throws `FORMAT_LEVEL_UNKNOWN` when this release, which reads up to `newest`, does not read what is, or is about to be, written. */
export function assertFormatLevelKnown(
  { level, raisingTo = level }: FormatLevelRecord,
  newest: number = newestFormatLevel,
): void {
  const known = `this release reads formats up to level ${newest}`;
  if (level > newest) {
    throw new ByocError('FORMAT_LEVEL_UNKNOWN', `the format level of the deployment is ${level}; ${known}`);
  }
  if (raisingTo > newest) {
    throw new ByocError(
      'FORMAT_LEVEL_UNKNOWN',
      `the format level of the deployment is being raised to ${raisingTo}; ${known}`,
    );
  }
}

async function recordedFormatLevel(runtime: Runtime, store: ObjectStore): Promise<VersionedFormatLevel | undefined> {
  const object = await readWithRetry(runtime, formatLevelName, () => store.get(formatLevelName));
  return object && { record: storedFormatLevel.decode(formatLevelName, object.body), etag: object.etag };
}
