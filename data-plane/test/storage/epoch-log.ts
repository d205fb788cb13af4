import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { createNodeRecord } from '../../src/ownership/node-record.js';
import { systemRuntime } from '../../src/runtime.js';
import { encodeLogObject } from '../../src/storage/log-object.js';
import { logObjectName } from '../../src/storage/object-names.js';
import { databaseA } from './sample-database.js';

/** A small log object whose fragment is commit `position + 1`; recovery reads indexes only, so its content is anything. */
export function logObjectAt(position: number, databases: readonly DatabaseId[] = [databaseA]): Buffer {
  const commit = position + 1;
  const parts = databases.map((database) => ({
    database,
    term: 1,
    firstCommit: commit,
    lastCommit: commit,
    bytes: Buffer.from(`fragment ${commit} of ${database}`),
  }));
  return encodeLogObject(parts).bytes;
}

/** Announces an epoch and writes log objects at these positions. */
export async function writeLog(
  stores: { dataStore: ObjectStore; logStore: ObjectStore },
  epoch: NodeEpoch,
  positions: readonly number[],
): Promise<void> {
  await createNodeRecord(systemRuntime, stores.dataStore, epoch);
  for (const position of positions) {
    await stores.logStore.put(logObjectName(epoch, position), logObjectAt(position), { ifAbsent: true });
  }
}
