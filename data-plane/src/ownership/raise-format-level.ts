/**
 * Raises the format level of a deployment, once every node that may still read or write reads the new one.
 *
 * A node that starts meanwhile must not slip through. So the raise is first announced in the stored level, then the members
 * are read, then the level is written. A node does it the other way round: it announces itself, then reads the stored
 * level, and ends again if it does not read what is announced there (`NodeCore.start`). Whichever of the two announced
 * itself second sees the other one.
 */
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { newestFormatLevel } from '../storage/format-level.js';
import {
  assertFormatLevelKnown,
  readFormatLevel,
  replaceFormatLevel,
  type FormatLevelRecord,
  type VersionedFormatLevel,
} from '../storage/format-level-record.js';
import { listMembers } from './members.js';
import { readNodeRecord, type NodeRecord } from './node-record.js';

/**
 * Raises the level to `newest`, the newest one of this release, and returns what is stored then. What an interrupted raise
 * left is finished, or undone when it is refused.
 *
 * Throws `FORMAT_LEVEL_UNKNOWN` when the level is above what this release knows, `FORMAT_LEVEL_REFUSED` when it is the newest
 * one already, when a node that has not ended does not read it, or when somebody else raises it at the same time.
 */
export async function raiseFormatLevel(
  runtime: Runtime,
  store: ObjectStore,
  newest: number = newestFormatLevel,
): Promise<FormatLevelRecord> {
  const found = await readFormatLevel(runtime, store);
  const { level } = found.record;
  assertFormatLevelKnown(found.record, newest);
  if (level === newest) {
    throw new ByocError('FORMAT_LEVEL_REFUSED', `the format level is ${level}, the highest that this release knows`);
  }
  const announced = await change(runtime, store, found, { level, raisingTo: newest });
  try {
    await assertReadByAll(runtime, store, newest);
  } catch (error) {
    // Lost only to another raise, which then looks for itself.
    await replaceFormatLevel(runtime, store, announced, { level });
    throw error;
  }
  return (await change(runtime, store, announced, { level: newest })).record;
}

/** The nodes that have not ended: those that live, and those that died and were not condemned yet. */
export async function nodesNotEnded(runtime: Runtime, store: ObjectStore): Promise<NodeRecord[]> {
  const nodes: NodeRecord[] = [];
  for (const epoch of await listMembers(runtime, store)) {
    try {
      const { record } = await readNodeRecord(runtime, store, epoch);
      if (record.state === 'live' || record.state === 'draining') nodes.push(record);
    } catch (error) {
      // A marker alone: its node will read the stored level after it has written its record.
      if (!isByocError(error, 'STORE_OBJECT_MISSING')) throw error;
    }
  }
  return nodes;
}

async function assertReadByAll(runtime: Runtime, store: ObjectStore, level: number): Promise<void> {
  const behind = (await nodesNotEnded(runtime, store)).filter((node) => node.formatLevel < level);
  if (behind.length === 0) return;
  const names = behind.map(
    ({ epoch, address, formatLevel }) =>
      `node ${epoch}${address ? ` at ${address.host}:${address.httpPort}` : ''} reads formats up to level ${formatLevel}`,
  );
  throw new ByocError(
    'FORMAT_LEVEL_REFUSED',
    `the format level cannot be raised to ${level}: ${names.join(', ')}; upgrade or stop it first (one that died counts until another node has ended it)`,
  );
}

async function change(
  runtime: Runtime,
  store: ObjectStore,
  base: VersionedFormatLevel,
  next: Omit<FormatLevelRecord, 'version'>,
): Promise<VersionedFormatLevel> {
  const changed = await replaceFormatLevel(runtime, store, base, next);
  if (changed) return changed;
  throw new ByocError('FORMAT_LEVEL_REFUSED', 'the format level is being raised by somebody else at the same time');
}
