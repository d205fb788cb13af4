/**
 * What a backup stores beside the objects of the databases: parts, each a list of databases, and at the end one record that
 * names the parts. A part is compressed; the record has its digest.
 */
import { gunzipSync, gzipSync } from 'node:zlib';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, readWithRetry } from '../storage/conditional-write.js';
import { sha256 } from '../storage/generation.js';
import { listKeys } from '../storage/list-keys.js';
import { StoredJson } from '../storage/stored-json.js';
import { backupCompleteName, backupObject, backupPartName, backupsPrefix } from './backup-names.js';

/** A database as a backup holds it. */
export interface BackedUpDatabase {
  readonly id: DatabaseId;
  /** Version of the manifest that was copied, and the last commit that is in the backup. */
  readonly version: number;
  readonly commit: number;
  /** The manifest as it is to be restored, in its stored form: without owner, and without a log. */
  readonly manifest: string;
  /** Keys of everything that it leads to. */
  readonly objects: readonly string[];
}

/** An object that is copied as it is, whatever it says. */
export interface CopiedObject {
  readonly key: string;
  /** Base64. */
  readonly body: string;
}

export interface BackupPart {
  readonly databases: readonly BackedUpDatabase[];
}

export interface BackupRecord {
  readonly id: string;
  readonly deployment: string;
  readonly startedAtMs: number;
  readonly completedAtMs: number;
  readonly databases: number;
  /** SHA-256 of the parts as they are stored, hex, in order. */
  readonly parts: readonly string[];
  /** Databases that are in two parts: the later one counts. */
  readonly again: readonly DatabaseId[];
  /** The format level that the deployment had. */
  readonly formatLevel: CopiedObject;
  /** What the control plane had published. */
  readonly control: readonly CopiedObject[];
}

const count = { type: 'integer', minimum: 0 } as const;
const digest = { type: 'string', pattern: '^[0-9a-f]{64}$' } as const;
const id = { type: 'string', pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' } as const;
const copied = {
  type: 'object',
  properties: { key: { type: 'string', maxLength: 900 }, body: { type: 'string' } },
  required: ['key', 'body'],
  additionalProperties: false,
} as const;

const storedPart = new StoredJson<BackupPart>('turso-byoc/backup-part/1', {
  type: 'object',
  properties: {
    databases: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          id,
          version: count,
          commit: count,
          manifest: { type: 'string' },
          objects: { type: 'array', items: { type: 'string', maxLength: 900 } },
        },
        required: ['id', 'version', 'commit', 'manifest', 'objects'],
        additionalProperties: false,
      },
    },
  },
  required: ['databases'],
  additionalProperties: false,
});

const storedRecord = new StoredJson<BackupRecord>('turso-byoc/backup/1', {
  type: 'object',
  properties: {
    id: { type: 'string' },
    deployment: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    startedAtMs: count,
    completedAtMs: count,
    databases: count,
    parts: { type: 'array', items: digest },
    again: { type: 'array', items: id },
    formatLevel: copied,
    control: { type: 'array', items: copied },
  },
  required: [
    'id',
    'deployment',
    'startedAtMs',
    'completedAtMs',
    'databases',
    'parts',
    'again',
    'formatLevel',
    'control',
  ],
  additionalProperties: false,
});

/** Stores a part and returns its digest. */
export async function writePart(
  runtime: Runtime,
  store: ObjectStore,
  id: string,
  number: number,
  part: BackupPart,
): Promise<string> {
  const bytes = gzipSync(storedPart.encode(part));
  await writeNew(runtime, store, backupPartName(id, number), bytes);
  return sha256(bytes).toString('hex');
}

export async function writeRecord(runtime: Runtime, store: ObjectStore, record: BackupRecord): Promise<void> {
  await writeNew(runtime, store, backupCompleteName(record.id), storedRecord.encode(record));
}

/** Throws `STORE_OBJECT_MISSING` when there is no such backup, `STORE_OBJECT_CORRUPT`. */
export async function readRecord(runtime: Runtime, store: ObjectStore, id: string): Promise<BackupRecord> {
  const key = backupCompleteName(id);
  const record = storedRecord.decode(key, await readExisting(runtime, store, key));
  if (record.id === id) return record;
  throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is the record of another backup`);
}

/** What a backup copied, part by part, also what it copied again later. Throws as `readParts`. */
export async function* readEveryPart(
  runtime: Runtime,
  store: ObjectStore,
  { id, parts }: BackupRecord,
): AsyncGenerator<readonly BackedUpDatabase[]> {
  // From the last to the first: of what is in two parts, the later one counts.
  for (let number = parts.length - 1; number >= 0; number--) {
    yield (await readPart(runtime, store, id, number, parts[number] as string)).databases;
  }
}

/** The databases of a backup, each once, part by part. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function* readParts(
  runtime: Runtime,
  store: ObjectStore,
  record: BackupRecord,
): AsyncGenerator<readonly BackedUpDatabase[]> {
  const later = new Set(record.again);
  const found = new Set<DatabaseId>();
  for await (const databases of readEveryPart(runtime, store, record)) {
    yield databases.filter((database) => {
      if (!later.has(database.id)) return true;
      if (found.has(database.id)) return false;
      found.add(database.id);
      return true;
    });
  }
}

export async function readPart(
  runtime: Runtime,
  store: ObjectStore,
  id: string,
  number: number,
  digest: string,
): Promise<BackupPart> {
  const key = backupPartName(id, number);
  const bytes = await readExisting(runtime, store, key);
  if (sha256(bytes).toString('hex') !== digest) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} does not match its digest`);
  }
  return storedPart.decode(key, gunzipSync(bytes));
}

/** What is stored of each backup, complete or not, the oldest first. */
export async function listBackups(
  runtime: Runtime,
  store: ObjectStore,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for await (const key of listKeys(runtime, store, backupsPrefix)) {
    const object = backupObject(key);
    if (object) found.set(object.id, (found.get(object.id) ?? new Set()).add(object.file));
  }
  return found;
}

/** Ids of the backups that can be restored, the oldest first. */
export async function completeBackups(runtime: Runtime, store: ObjectStore): Promise<string[]> {
  const all = await listBackups(runtime, store);
  return [...all].flatMap(([backup, files]) => (files.has('complete') && !files.has('expired') ? [backup] : []));
}

async function writeNew(runtime: Runtime, store: ObjectStore, key: string, bytes: Buffer): Promise<void> {
  const written = await conditionalWrite(runtime, store, key, bytes, { ifAbsent: true });
  if (!written.won) throw new Error(`object ${key} was written by someone else`);
}

async function readExisting(runtime: Runtime, store: ObjectStore, key: string): Promise<Buffer> {
  const object = await readWithRetry(runtime, key, () => store.get(key));
  if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  return object.body;
}
