/**
 * Garbage collection of one database, by its owner: what wraps the keys of a deleted one goes first (`shred-database.ts`),
 * then what nothing needs, in three steps that can be repeated from any point: compute what
 * nothing that is kept leads to; record it in the manifest, by If-Match under the owner's term, so that it comes before or
 * after any branch; delete it.
 *
 * Invariant: nothing is deleted that the manifest which records the garbage, or any later one, leads to. A branch pins
 * only what the manifest keeps, and whoever loses to a record starts again from it.
 */
import { ByocError } from '../errors/catalogue.js';
import { claim } from '../ownership/claim.js';
import { conditionalWrite, deleteWithRetry, readWithRetry } from '../storage/conditional-write.js';
import { isResealing } from '../storage/data-key-use.js';
import { findGarbage, horizonAt, storedGarbage } from '../storage/garbage.js';
import { sha256 } from '../storage/generation.js';
import { heldSinceMs } from '../storage/legal-hold.js';
import { lineOf, type GarbageReference, type Manifest, type Pin } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { garbageListName } from '../storage/object-names.js';
import { newAttempt } from './carry-fragments.js';
import type { NodeContext } from './node-context.js';
import { stillOwned } from './ready-database.js';
import { withoutRetiredKeys } from './rekey-database.js';
import { destroyOldVersions, recordShred } from './shred-database.js';

/** A pin whose branch does not exist is given up when it is this old: no call to make a branch lasts so long. */
const abandonedPinMs = 3_600_000;
/** An upload that has not come to its end when it is this old is given up. */
const abandonedUploadMs = 24 * 3_600_000;
const parallelReads = 16;
const parallelDeletes = 8;
/** How often the manifest may change under the work. */
const maxRounds = 5;

/**
 * Collects what a database that this epoch owns needs no more. Returns its manifest as it is then. Throws
 * `DATABASE_MOVED`, and `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT` when what is kept is damaged: then nothing is
 * deleted.
 */
export async function collectDatabase(context: NodeContext, owned: VersionedManifest): Promise<VersionedManifest> {
  try {
    const collected = await collectRounds(context, owned);
    context.observer?.collected?.('done');
    return collected;
  } catch (error) {
    context.observer?.collected?.('failed');
    throw error;
  }
}

async function collectRounds(context: NodeContext, owned: VersionedManifest): Promise<VersionedManifest> {
  let current = await deleteRecorded(context, await recordShred(context, owned));
  for (let round = 1; round <= maxRounds; round++) {
    const recorded = await record(context, current);
    if (recorded) return deleteRecorded(context, recorded);
    const again = await context.manifests.read(owned.manifest.id);
    if (!again) throw new ByocError('STORE_OBJECT_MISSING', `the manifest of ${owned.manifest.id} is missing`);
    current = await stillOwned(context, owned.manifest, again.manifest);
  }
  return current;
}

/**
 * The same for a database that nobody has open, a deleted one included: it is claimed for the time of the work. A deleted
 * one that can no longer be brought back loses its content and its keys; its tombstone stays.
 */
export async function collectClosed(context: NodeContext, found: VersionedManifest): Promise<void> {
  const { manifest } = found;
  const wasOwned = manifest.owner === context.epoch && manifest.deletedAtMs === undefined;
  if (isFinished(manifest)) return;
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const collected = await collectDatabase(context, claimed);
  if (wasOwned) return;
  const { owner: _owner, ...released } = collected.manifest;
  // Lost to somebody who claimed or brought it back: then it is theirs.
  await context.manifests.replace(collected, released);
}

/** Whether nothing can be left to collect, ever. */
function isFinished({ collected, pins = [], garbage, parent, shredding }: Manifest): boolean {
  if (collected !== true || garbage !== undefined || shredding !== undefined) return false;
  return pins.length === 0 && (!parent || parent.released === true);
}

/** Computes and records. Undefined when the manifest has changed meanwhile; the same manifest when there is nothing to do. */
async function record(context: NodeContext, current: VersionedManifest): Promise<VersionedManifest | undefined> {
  const { runtime, dataStore } = context;
  const { manifest } = current;
  const certificate = manifest.shredding && (await destroyOldVersions(context, manifest, manifest.shredding));
  const pins = await neededPins(context, manifest);
  const kept = await keptManifest(context, { ...manifest, pins });
  const { keys, sources, ownKeys } = await findGarbage({ runtime, dataStore, manifest: kept });
  const { shredding: _done, ...left } = swept(withoutUnneededKeys(kept, sources));
  const next = await withoutRetiredKeys(
    context,
    { ...left, ...(certificate !== undefined && { certificate }) },
    ownKeys,
  );
  const garbage = keys.length > 0 ? await storeList(context, manifest, keys) : undefined;
  const hasChanged =
    garbage !== undefined ||
    pins.length !== (manifest.pins?.length ?? 0) ||
    JSON.stringify(next) !== JSON.stringify({ ...manifest, pins });
  if (!hasChanged) return current;
  const result = await context.manifests.replace(current, { ...next, ...(garbage && { garbage }) });
  return 'lost' in result ? undefined : result;
}

/** The manifest with what it keeps from now on. */
async function keptManifest(context: NodeContext, manifest: Manifest): Promise<Manifest> {
  const { runtime, dataStore, policy } = context;
  if (manifest.collected === true) return manifest;
  const upload = manifest.awaitedFile?.upload;
  if (upload && runtime.nowMs() >= upload.startedAtMs + abandonedUploadMs) return { ...manifest, awaitedFile: {} };
  const dropped = withHistoryDropped(manifest);
  if (dropped) return dropped;
  const sinceMs = Math.min(runtime.nowMs() - policy.historyMs, heldSinceMs(manifest) ?? Infinity);
  const horizon = await horizonAt({ runtime, dataStore, manifest }, sinceMs);
  return { ...manifest, ...(horizon && { horizon }) };
}

/** Keeps no history from before the present generation, when that was asked for with another data key and it is sealed under it. */
function withHistoryDropped(manifest: Manifest): Manifest | undefined {
  const { generation, retiring } = manifest;
  if (!generation || !retiring?.some(({ dropHistory }) => dropHistory) || isResealing(manifest)) return undefined;
  // Once only: a branch may hold the old key for long, and history begins anew meanwhile.
  const rest = retiring.map(({ dropHistory: _dropHistory, ...key }) => key);
  return { ...manifest, horizon: generation, retiring: rest };
}

/** The present generation's number is swept with the next one: folds of other terms may have taken it, too. */
function swept(manifest: Manifest): Manifest {
  const { generation, ancestors = [], sweptUpTo = 0 } = manifest;
  if (!generation || (generation.source ?? 0) !== ancestors.length || generation.number - 1 <= sweptUpTo)
    return manifest;
  return { ...manifest, sweptUpTo: generation.number - 1 };
}

/** Gives up the keys of ancestors, and the pin in the parent, when nothing that is kept needs them. */
function withoutUnneededKeys(manifest: Manifest, sources: ReadonlySet<number>): Manifest {
  const { parent } = manifest;
  if (!parent) return manifest;
  const line = lineOf(manifest);
  const isNeeded = (source: number): boolean => sources.has(source);
  const keys = manifest.keys.filter(({ opens }) => opens === undefined || isNeeded(line.indexOf(opens)));
  const released = !line.slice(0, -1).some((_, source) => isNeeded(source));
  return { ...manifest, keys, ...(released && { parent: { ...parent, released } }) };
}

/** The pins that a branch, which there is or may still be, needs. */
async function neededPins(context: NodeContext, manifest: Manifest): Promise<Pin[]> {
  const needed: Pin[] = [];
  const all = manifest.pins ?? [];
  for (let start = 0; start < all.length; start += parallelReads) {
    const batch = all.slice(start, start + parallelReads);
    const answers = await Promise.all(batch.map(async (pin) => isPinNeeded(context, manifest, pin)));
    needed.push(...batch.filter((_, index) => answers[index]));
  }
  return needed;
}

async function isPinNeeded(context: NodeContext, manifest: Manifest, pin: Pin): Promise<boolean> {
  const child = await context.manifests.read(pin.child);
  if (child) {
    const { parent } = child.manifest;
    return parent?.attempt === pin.attempt && parent.released !== true;
  }
  if (context.runtime.nowMs() < pin.pinnedAtMs + abandonedPinMs) return true;
  // A tombstone first: whoever is still about to make this branch then fails.
  return !(await context.manifests.create(abandonedBranch(context, manifest, pin)));
}

function abandonedBranch({ runtime }: NodeContext, parent: Manifest, { child, pinnedAtMs }: Pin): Manifest {
  const { deployment, name, organization, group, engine, reservedBytes, encryption } = parent;
  const identity = { deployment, id: child, name, organization, group, engine };
  const times = { createdAtMs: pinnedAtMs, deletedAtMs: runtime.nowMs() };
  return {
    version: 1,
    ...identity,
    ...times,
    reservedBytes,
    encryption,
    term: 1,
    currentKey: 1,
    keys: [],
    tail: [],
    collected: true,
  };
}

async function storeList(context: NodeContext, { id }: Manifest, keys: readonly string[]): Promise<GarbageReference> {
  const attempt = newAttempt(context);
  const key = garbageListName(id, attempt);
  const bytes = storedGarbage.encode({ keys });
  const written = await conditionalWrite(context.runtime, context.dataStore, key, bytes, { ifAbsent: true });
  if (!written.won) throw new Error(`object ${key} was written by someone else`);
  return { attempt, digest: sha256(bytes).toString('hex') };
}

/** Deletes what the manifest records as garbage, then the record. */
async function deleteRecorded(context: NodeContext, current: VersionedManifest): Promise<VersionedManifest> {
  const { runtime, dataStore } = context;
  const { garbage, ...manifest } = current.manifest;
  if (!garbage) return current;
  const listKey = garbageListName(manifest.id, garbage.attempt);
  const list = await readWithRetry(runtime, listKey, () => dataStore.get(listKey));
  if (!list) {
    // Another collection of this epoch clears the record, then removes the list.
    const present = await stillOwned(context, manifest, current.manifest);
    if (present.manifest.garbage?.attempt !== garbage.attempt) return deleteRecorded(context, present);
  }
  if (!list || sha256(list.body).toString('hex') !== garbage.digest) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${listKey} is not the list that the manifest names`);
  }
  const { keys } = storedGarbage.decode(listKey, list.body);
  const left = [...keys];
  const remove = async (key: string): Promise<void> => deleteWithRetry(runtime, dataStore, key);
  const workers = Array.from({ length: Math.min(parallelDeletes, left.length) }, async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) await remove(key);
  });
  await Promise.all(workers);
  context.observer?.objectsDeleted?.(keys.length);
  for (let base = current; ;) {
    const { garbage: _deleted, ...rest } = base.manifest;
    const result = await context.manifests.replace(base, rest);
    if (!('lost' in result)) {
      await remove(listKey);
      return result;
    }
    base = await stillOwned(context, manifest, result.lost);
    if (base.manifest.garbage?.attempt !== garbage.attempt) return base;
  }
}
