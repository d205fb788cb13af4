/** Which backups of a store hold the wrapped data keys of a database. */
import { completeBackups, readParts, readRecord } from '../backup/backup-record.js';
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { storedManifest } from '../storage/manifest.js';
import { manifestName } from '../storage/object-names.js';

/** Ids of the backups, the oldest first. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT` for a damaged backup. */
export async function copiesInBackups(runtime: Runtime, store: ObjectStore, id: DatabaseId): Promise<string[]> {
  const found: string[] = [];
  for (const backup of await completeBackups(runtime, store)) {
    for await (const databases of readParts(runtime, store, await readRecord(runtime, store, backup))) {
      const copy = databases.find((database) => database.id === id);
      if (copy && storedManifest.decode(manifestName(id), Buffer.from(copy.manifest)).keys.length > 0)
        found.push(backup);
    }
  }
  return found;
}
