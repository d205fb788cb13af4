/**
 * Members: a marker object for every epoch that may live, so that nodes find each other without reading the records of
 * all epochs there ever were. It is created before the epoch's node record and removed, by anybody, when the epoch's
 * recovery record exists. Nothing about safety depends on it: an epoch is looked up by its node record as well, whenever a
 * manifest names it.
 */
import { isByocError } from '../errors/catalogue.js';
import { nodeEpoch, type NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { conditionalWrite } from '../storage/conditional-write.js';
import { listKeys } from '../storage/list-keys.js';
import { memberName, memberPrefix } from '../storage/object-names.js';

/** Creates the marker; one that is there already will do. Throws `STORE_UNAVAILABLE`. */
export async function addMember(runtime: Runtime, store: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await conditionalWrite(runtime, store, memberName(epoch), Buffer.from(epoch, 'latin1'), { ifAbsent: true });
}

/** Throws what the store throws; a marker that stays is removed by whoever meets it next. */
export async function removeMember(store: ObjectStore, epoch: NodeEpoch): Promise<void> {
  await store.delete(memberName(epoch));
}

/** Every epoch with a marker, in ascending order; what stands there and is no epoch is passed over. Throws `STORE_UNAVAILABLE`. */
export async function listMembers(runtime: Runtime, store: ObjectStore): Promise<NodeEpoch[]> {
  const members: NodeEpoch[] = [];
  for await (const key of listKeys(runtime, store, memberPrefix)) {
    try {
      members.push(nodeEpoch(key.slice(memberPrefix.length)));
    } catch (error) {
      if (!isByocError(error)) throw error;
    }
  }
  return members;
}
