/**
 * Makes a deployment of a backup, in stores that are empty: the same deployment, with the same databases, names and keys,
 * without nodes and without a log. A restore that was cut off is completed by the next one of the same backup; until it is,
 * no node starts on the stores, because the deployment record is written last.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, deleteWithRetry, readWithRetry } from '../storage/conditional-write.js';
import { deploymentId, hasContent, recordedDeployment } from '../storage/deployment.js';
import { FormatLevel } from '../storage/format-level.js';
import { storedManifest, type Manifest } from '../storage/manifest.js';
import { manifestName } from '../storage/object-names.js';
import { NameStore } from '../storage/name-store.js';
import { restoringName } from './backup-names.js';
import { markRestored } from './backup-origin.js';
import { readParts, readRecord, type BackedUpDatabase, type BackupRecord, type CopiedObject } from './backup-record.js';
import { copyObjects } from './copy-objects.js';

export interface RestoreInput {
  readonly runtime: Runtime;
  readonly backups: ObjectStore;
  readonly backup: string;
  readonly dataStore: ObjectStore;
  /** The log store, or its three zones. */
  readonly logStores: readonly ObjectStore[];
  readonly controlStore: ObjectStore;
  readonly progress: (databases: number, of: number) => void;
  readonly report: (database: DatabaseId, fault: string) => void;
}

export interface RestoreSummary {
  readonly deployment: string;
  readonly databases: number;
  readonly damaged: number;
  readonly copiedObjects: number;
  readonly copiedBytes: number;
}

const parallelDatabases = 16;

/**
 * Throws `STORE_MISCONFIGURED` when a store is in use, `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT` when the backup's own
 * records are damaged, and `STORE_UNAVAILABLE`. A database with damaged objects is restored as far as it goes, and reported.
 */
export async function restoreBackup(input: RestoreInput): Promise<RestoreSummary> {
  const { runtime, backups, backup, dataStore, logStores, controlStore } = input;
  const record = await readRecord(runtime, backups, backup);
  await begin(input, record);
  const isZone = logStores.length > 1;
  for (const store of logStores) {
    await deploymentId(runtime, store, { id: record.deployment, ...(isZone && { isZone }) });
  }
  await putCopied(runtime, dataStore, record.formatLevel);
  for (const object of record.control) await putCopied(runtime, controlStore, object);
  const summary = await restoreDatabases(input, record);
  const restore = runtime.randomBytes(16).toString('hex');
  await markRestored(runtime, dataStore, { deployment: record.deployment, restore });
  await deploymentId(runtime, dataStore, { id: record.deployment });
  await deleteWithRetry(runtime, dataStore, restoringName);
  return { deployment: record.deployment, ...summary };
}

/** Sees to it that the stores are empty, or hold what an earlier attempt left. */
async function begin({ runtime, dataStore, logStores }: RestoreInput, { id, deployment }: BackupRecord): Promise<void> {
  const refuse = (sentence: string): never => {
    throw new ByocError('STORE_MISCONFIGURED', `${sentence}; restore into stores that are empty`);
  };
  if (await recordedDeployment(runtime, dataStore)) refuse('the data store holds a deployment');
  const marker = await readWithRetry(runtime, restoringName, () => dataStore.get(restoringName));
  if (marker && marker.body.toString('utf8') !== id) {
    refuse(`backup ${marker.body.toString('utf8')} was being restored into the data store`);
  }
  if (!marker && (await hasContent(runtime, dataStore))) refuse('the data store is in use');
  for (const store of logStores) {
    const log = await recordedDeployment(runtime, store);
    if (log && log.id !== deployment) refuse(`a log store belongs to deployment ${log.id}`);
    if (log && !marker) refuse('a log store belongs to the deployment already');
    if (await hasContent(runtime, store)) refuse('a log store is in use');
  }
  if (!marker) {
    await conditionalWrite(runtime, dataStore, restoringName, Buffer.from(id), { ifAbsent: true });
  }
}

async function restoreDatabases(
  input: RestoreInput,
  record: BackupRecord,
): Promise<Omit<RestoreSummary, 'deployment'>> {
  const { runtime, backups, dataStore, progress, report } = input;
  const formats = new FormatLevel();
  const names = new NameStore(runtime, dataStore, formats);
  const named = await namesOf(runtime, backups, record);
  const summary = { databases: 0, damaged: 0, copiedObjects: 0, copiedBytes: 0 };
  const restore = async ({ id, manifest: body }: BackedUpDatabase): Promise<void> => {
    const manifest = storedManifest.decode(manifestName(id), Buffer.from(body), formats);
    const copied = await copyObjects({ runtime, from: backups, to: dataStore, manifest, present: new Set() });
    for (const fault of copied.faults) report(id, fault);
    const holder = named.get(nameOf(manifest));
    // It was deleted, and the name given to another one, while the backup was taken.
    const isGone = manifest.deletedAtMs === undefined && holder !== undefined && holder.id !== id;
    const restored = isGone ? { ...manifest, deletedAtMs: holder.createdAtMs } : manifest;
    const bytes = isGone ? storedManifest.encode(restored, formats.current) : Buffer.from(body);
    const written = await conditionalWrite(runtime, dataStore, manifestName(id), bytes, { ifAbsent: true });
    if (!written.won) throw new ByocError('STORE_MISCONFIGURED', `the data store has another database ${id}`);
    if (restored.deletedAtMs === undefined) {
      const address = { organization: manifest.organization, database: manifest.name };
      await names.take(address, id);
      await names.confirm(address, id);
    }
    summary.databases += 1;
    summary.damaged += copied.faults.length > 0 ? 1 : 0;
    summary.copiedObjects += copied.copiedObjects;
    summary.copiedBytes += copied.copiedBytes;
  };
  for await (const databases of readParts(runtime, backups, record)) {
    for (let start = 0; start < databases.length; start += parallelDatabases) {
      await Promise.all(databases.slice(start, start + parallelDatabases).map(restore));
      progress(summary.databases, record.databases);
    }
  }
  return summary;
}

type NameHolder = Pick<Manifest, 'id' | 'createdAtMs'>;

/** Who has which name: of two that had it while the backup was taken, the younger one. */
async function namesOf(
  runtime: Runtime,
  backups: ObjectStore,
  record: BackupRecord,
): Promise<ReadonlyMap<string, NameHolder>> {
  const named = new Map<string, NameHolder>();
  for await (const databases of readParts(runtime, backups, record)) {
    for (const { id, manifest: body } of databases) {
      const manifest = storedManifest.decode(manifestName(id), Buffer.from(body));
      if (manifest.deletedAtMs !== undefined) continue;
      const known = named.get(nameOf(manifest));
      if (known && known.createdAtMs >= manifest.createdAtMs) continue;
      named.set(nameOf(manifest), { id, createdAtMs: manifest.createdAtMs });
    }
  }
  return named;
}

function nameOf({ organization, name }: Manifest): string {
  return `${organization}/${name}`;
}

/** What stands there already stays. */
async function putCopied(runtime: Runtime, store: ObjectStore, { key, body }: CopiedObject): Promise<void> {
  await conditionalWrite(runtime, store, key, Buffer.from(body, 'base64'), { ifAbsent: true });
}
