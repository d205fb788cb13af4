/**
 * Markers of the epochs whose log was not deleted yet: created before an epoch is announced, removed when its log was
 * collected. They only make such logs findable without looking at every epoch that ever was; nothing else depends on them.
 */
import { nodeEpoch, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, deleteWithRetry } from '../storage/conditional-write.js';
import { listKeys } from '../storage/list-keys.js';
import { uncollectedLogName, uncollectedLogPrefix } from '../storage/object-names.js';

export async function markUncollected(runtime: Runtime, dataStore: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await conditionalWrite(runtime, dataStore, uncollectedLogName(epoch), Buffer.from(epoch), { ifAbsent: true });
}

export async function markCollected(runtime: Runtime, dataStore: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await deleteWithRetry(runtime, dataStore, uncollectedLogName(epoch));
}

/** Living epochs as well as ended ones. */
export async function uncollectedEpochs(runtime: Runtime, dataStore: ObjectStore): Promise<NodeEpoch[]> {
  const epochs: NodeEpoch[] = [];
  for await (const key of listKeys(runtime, dataStore, uncollectedLogPrefix)) {
    epochs.push(nodeEpoch(key.slice(uncollectedLogPrefix.length)));
  }
  return epochs;
}
