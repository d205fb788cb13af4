/**
 * Deletes old backups, and the objects that only they need. Names of objects never come back, so what no kept backup has will
 * not be wanted by a later one. A backup is marked as expired first: from then on it is none, and a run that was cut off is
 * completed by the next.
 */
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, deleteWithRetry } from '../storage/conditional-write.js';
import { backupCompleteName, backupExpiredName, backupPartName } from './backup-names.js';
import { listBackups, readEveryPart, readParts, readRecord } from './backup-record.js';
import { BackupTurn } from './backup-turn.js';

const parallelDeletes = 16;
/** Keys of objects begin so, then with one hex digit of a hash: a sixteenth of them is compared at a time. */
const shards = Array.from({ length: 16 }, (_, digit) => `objects/${digit.toString(16)}`);

export interface PruneSummary {
  readonly backups: number;
  readonly objects: number;
}

/**
 * @param keep - How many of the latest backups stay, at least one.
 *
 * Throws `BACKUP_RUNNING`, and `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT` when the records of a kept backup are damaged:
 * then no object is deleted.
 */
export async function pruneBackups(runtime: Runtime, store: ObjectStore, keep: number): Promise<PruneSummary> {
  const turn = await BackupTurn.take(runtime, store);
  try {
    return await prune(runtime, store, Math.max(1, keep), turn);
  } finally {
    await turn.release();
  }
}

async function prune(runtime: Runtime, store: ObjectStore, keep: number, turn: BackupTurn): Promise<PruneSummary> {
  const all = await listBackups(runtime, store);
  const usable = [...all].flatMap(([id, files]) => (files.has('complete') && !files.has('expired') ? [id] : []));
  const kept = usable.slice(-keep);
  if (kept.length === 0) return { backups: 0, objects: 0 };
  const expired = [...all].flatMap(([id, files]) => (files.has('complete') && !kept.includes(id) ? [id] : []));
  await turn.assertHeld();
  for (const id of expired) {
    await conditionalWrite(runtime, store, backupExpiredName(id), Buffer.from(id), { ifAbsent: true });
  }
  let objects = 0;
  if (expired.length > 0) {
    for (const shard of shards) {
      const needed = await keysOf(runtime, store, kept, shard, readParts);
      const candidates = await keysOf(runtime, store, expired, shard, readEveryPart);
      const unneeded = [...candidates].filter((key) => !needed.has(key));
      await turn.assertHeld();
      await deleteAll(runtime, store, unneeded);
      objects += unneeded.length;
    }
  }
  // Those that were never completed, too: nobody else is at work.
  const gone = [...all].filter(([id]) => !kept.includes(id));
  for (const [id, files] of gone) {
    const parts = [...files].filter((file) => file.startsWith('part-'));
    await deleteAll(runtime, store, [
      ...parts.map((file) => backupPartName(id, Number(file.slice('part-'.length)))),
      backupCompleteName(id),
    ]);
    await deleteWithRetry(runtime, store, backupExpiredName(id));
  }
  return { backups: gone.length, objects };
}

async function keysOf(
  runtime: Runtime,
  store: ObjectStore,
  backups: readonly string[],
  prefix: string,
  read: typeof readParts,
): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const id of backups) {
    for await (const databases of read(runtime, store, await readRecord(runtime, store, id))) {
      for (const { objects } of databases) for (const key of objects) if (key.startsWith(prefix)) keys.add(key);
    }
  }
  return keys;
}

async function deleteAll(runtime: Runtime, store: ObjectStore, keys: readonly string[]): Promise<void> {
  for (let start = 0; start < keys.length; start += parallelDeletes) {
    const batch = keys.slice(start, start + parallelDeletes);
    await Promise.all(batch.map(async (key) => deleteWithRetry(runtime, store, key)));
  }
}
