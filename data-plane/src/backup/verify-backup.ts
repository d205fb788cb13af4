import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { scrubDatabase } from '../scrub/scrub-database.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { storedManifest } from '../storage/manifest.js';
import { manifestName } from '../storage/object-names.js';
import { readParts, readRecord } from './backup-record.js';

export interface VerifySummary {
  readonly databases: number;
  readonly damaged: number;
  readonly objects: number;
  readonly bytes: number;
}

/**
 * Reads everything that a backup is made of and compares it with its digests. Throws `STORE_OBJECT_MISSING` or
 * `STORE_OBJECT_CORRUPT` when the backup's own records are damaged, and `STORE_UNAVAILABLE`.
 */
export async function verifyBackup(
  runtime: Runtime,
  store: ObjectStore,
  id: string,
  report: (database: DatabaseId, fault: string) => void,
): Promise<VerifySummary> {
  const summary = { databases: 0, damaged: 0, objects: 0, bytes: 0 };
  // No manifest in a backup names a log.
  const logStore = new SingleLogStore(runtime, store);
  for await (const databases of readParts(runtime, store, await readRecord(runtime, store, id))) {
    for (const database of databases) {
      const manifest = storedManifest.decode(manifestName(database.id), Buffer.from(database.manifest));
      const { faults, objects, bytes } = await scrubDatabase({ runtime, dataStore: store, logStore, manifest });
      for (const fault of faults) report(database.id, fault);
      summary.databases += 1;
      summary.damaged += faults.length > 0 ? 1 : 0;
      summary.objects += objects;
      summary.bytes += bytes;
    }
  }
  return summary;
}
