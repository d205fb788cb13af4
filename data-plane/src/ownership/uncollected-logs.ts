/**
 * Markers of the epochs whose log was not deleted yet: created before an epoch is announced, removed when its log was
 * collected. They only make such logs findable without looking at every epoch that ever was; nothing else depends on them.
 */
import { nodeEpoch, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite, deleteWithRetry, readWithRetry } from '../storage/conditional-write.js';
import { uncollectedLogName, uncollectedLogPrefix } from '../storage/object-names.js';

export async function markUncollected(runtime: Runtime, dataStore: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await conditionalWrite(runtime, dataStore, uncollectedLogName(epoch), Buffer.from(epoch), { ifAbsent: true });
}

export async function markCollected(runtime: Runtime, dataStore: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await deleteWithRetry(runtime, dataStore, uncollectedLogName(epoch));
}

/** Living epochs as well as ended ones. */
export async function uncollectedEpochs(runtime: Runtime, dataStore: ObjectStore): Promise<NodeEpoch[]> {
  const keys = await listAll(runtime, dataStore, uncollectedLogPrefix);
  return keys.map((key) => nodeEpoch(key.slice(uncollectedLogPrefix.length)));
}

/** Every key that starts with `prefix`. */
export async function listAll(runtime: Runtime, store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const options = after === undefined ? {} : { after };
    const page = await readWithRetry(runtime, prefix, () => store.list(prefix, options));
    keys.push(...page.keys);
    after = page.next;
  } while (after !== undefined);
  return keys;
}
