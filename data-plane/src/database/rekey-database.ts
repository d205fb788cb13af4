/**
 * Another data key for a database. The manifest takes the new key first; whoever owns the database seals under it from
 * then on. What exists is sealed anew by the folds that follow (`foldDatabase`), and the old key stays in the ring as long
 * as something that is kept needs it (`withoutRetiredKeys`).
 *
 * Invariant: nothing is sealed under a key that the manifest in the store does not hold, and no key leaves the ring before
 * every commit that may be sealed under it is durable, folded, and beyond the history that is kept.
 */
import { ByocError } from '../errors/catalogue.js';
import type { PresentedKey } from '../keys/client-key.js';
import { claim } from '../ownership/claim.js';
import { isPastHistory, isResealing } from '../storage/data-key-use.js';
import { fragmentKeyNumber } from '../storage/fragment.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import { assertNotHeld } from '../storage/legal-hold.js';
import { isServiceWrapped, lineOf, type Manifest, type RetiringKey, type WrappedDataKey } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { chainPoint } from '../storage/restore.js';
import { readUnfolded } from '../storage/unfolded.js';
import { admittedKey } from './client-key-admission.js';
import { currentKeyOf, newClientDataKey, newDataKey, openDataKey } from './database-keys.js';
import { foldDatabase } from './fold-database.js';
import type { NodeContext } from './node-context.js';
import { own, releaseDatabase, stillOwned, withUnfoldedRanges, type OwnedDatabase } from './ready-database.js';

/** Which data key is to be replaced, and what becomes of the history that is sealed under it. */
export interface RekeyRequest {
  /** Number of the current data key as the caller knows it: a call that is repeated does nothing more. */
  readonly replaces: number;
  /** What the client sends of its key, where it holds the key of the database. */
  readonly encryption?: PresentedKey;
  /** Drop the history from before as soon as the present state is sealed anew, so that the old key can go at once. */
  readonly dropHistory?: boolean;
}

/** How often the manifest may change under the work. */
const maxRounds = 5;

/**
 * Gives a database that this epoch owns a new data key. Returns its manifest as it is then; unchanged when the key was
 * replaced before. Throws `DATABASE_HELD` when its history is to be dropped, `REKEY_REFUSED` for a key that there never was, `KEY_REVOKED`, `KEY_UNAVAILABLE`, `DATABASE_MOVED`.
 */
export async function rekeyDatabase(
  context: NodeContext,
  owned: VersionedManifest,
  request: RekeyRequest,
): Promise<VersionedManifest> {
  let current = owned;
  for (let round = 1; ; round++) {
    const next = await rekeyed(context, current.manifest, request);
    if (next === current.manifest) return current;
    const result = await context.manifests.replace(current, next);
    if (!('lost' in result)) return result;
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${next.id} changes all the time`);
    current = await stillOwned(context, current.manifest, result.lost);
  }
}

async function rekeyed(
  context: NodeContext,
  manifest: Manifest,
  { replaces, encryption, dropHistory = false }: RekeyRequest,
): Promise<Manifest> {
  if (manifest.deletedAtMs !== undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  if (manifest.awaitedFile) {
    throw new ByocError('DATABASE_AWAITS_FILE', `database ${manifest.id} awaits the file that it is to begin as`);
  }
  if (dropHistory) assertNotHeld(manifest, 'its history is kept');
  if (replaces > manifest.currentKey) {
    const sentence = `database ${manifest.id} has no data key ${replaces}; its current one is ${manifest.currentKey}`;
    throw new ByocError('REKEY_REFUSED', sentence);
  }
  if (replaces < manifest.currentKey) return dropHistory ? droppingHistory(manifest) : manifest;
  const nowMs = context.runtime.nowMs();
  const key = await nextKey(context, manifest, encryption);
  const { generation } = manifest;
  const usedBy = {
    number: generation?.number ?? 0,
    commit: generation?.commit ?? 0,
    commitTimeMs: generation?.commitTimeMs ?? nowMs,
  };
  const retired = { number: manifest.currentKey, retiredAtMs: nowMs, usedBy, ...(dropHistory && { dropHistory }) };
  return {
    ...manifest,
    currentKey: key.number,
    currentKeySinceMs: nowMs,
    keys: [key, ...manifest.keys],
    retiring: [...(manifest.retiring ?? []), retired],
  };
}

/** A data key with the next number, wrapped as the current one is. */
async function nextKey(
  { runtime, keys }: NodeContext,
  manifest: Manifest,
  presented: PresentedKey | undefined,
): Promise<WrappedDataKey> {
  const current = currentKeyOf(manifest);
  const number = manifest.currentKey + 1;
  const client = admittedKey(manifest, presented);
  try {
    const key =
      client === undefined || isServiceWrapped(current)
        ? await newDataKey(keys, current.context, isServiceWrapped(current) ? current.keyId : undefined, number)
        : newClientDataKey(runtime, client, current.context, number);
    // A key that cannot be opened must not become the current one.
    (await openDataKey(keys, manifest, key, client)).fill(0);
    return key;
  } finally {
    client?.wipe();
  }
}

/** Asked for once more, and this time without the history. */
function droppingHistory(manifest: Manifest): Manifest {
  const { retiring = [] } = manifest;
  if (retiring.every((key) => key.dropHistory === true)) return manifest;
  return { ...manifest, retiring: retiring.map((key): RetiringKey => ({ ...key, dropHistory: true })) };
}

/** The same for a database that nobody has open: it is claimed for the time of the work. */
export async function rekeyClosed(
  context: NodeContext,
  found: VersionedManifest,
  request: RekeyRequest,
): Promise<VersionedManifest> {
  const { manifest } = found;
  // Looked at first, so that running over many databases again claims none that is done.
  const isDone = manifest.currentKey > request.replaces && request.dropHistory !== true;
  if (isDone && manifest.deletedAtMs === undefined) return found;
  const wasOwned = manifest.owner === context.epoch;
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const rekeyed = await rekeyDatabase(context, claimed, request);
  if (wasOwned) return rekeyed;
  const { owner: _owner, ...released } = rekeyed.manifest;
  const result = await context.manifests.replace(rekeyed, released);
  // Lost to somebody who claimed it: then it is theirs.
  return 'lost' in result ? rekeyed : result;
}

/**
 * One step of sealing a database anew that nobody has open: it is claimed for it, and given up again. Returns its manifest
 * as it is then. Throws what `own` and `foldDatabase` throw.
 */
export async function resealClosed(context: NodeContext, found: VersionedManifest): Promise<VersionedManifest> {
  const { id } = found.manifest;
  // Where a client holds the key it is sealed anew while the client uses it.
  if (!isResealing(found.manifest) || found.manifest.encryption.mode === 'client') return found;
  const owned = await own(context, id);
  try {
    const folded = await resealStep(context, owned);
    context.unfolded.folded(id, folded.manifest.generation?.commit ?? 0);
    await releaseDatabase(context, folded);
    return folded;
  } finally {
    owned.unlocked.wipe();
  }
}

/**
 * Seals a part of what a database has anew. Every commit that its owner sealed under an older key must be durable. Returns
 * its manifest as it is then; `isResealing` tells whether there is more to do. Throws as `foldDatabase` does.
 */
export async function resealStep(
  context: NodeContext,
  database: OwnedDatabase,
  number = context.generationNumbers.next(database.owned.manifest.generation?.number ?? 0),
): Promise<VersionedManifest> {
  const folded = await foldDatabase(context, database, number, { evenIfNothing: true });
  if (folded !== database.owned || folded.manifest.generation) return folded;
  // Nothing was ever written: no object is sealed under any key.
  const { retiring: _retiring, ...manifest } = folded.manifest;
  const keys = manifest.keys.filter(({ opens, number: key }) => opens !== undefined || key === manifest.currentKey);
  const result = await context.manifests.replace(folded, { ...manifest, keys });
  return 'lost' in result ? stillOwned(context, folded.manifest, result.lost) : result;
}

/**
 * The manifest without those of its retiring data keys that nothing needs any more which is kept.
 *
 * @param pinned - Numbers of the keys that what is kept for branches, or the oldest kept generation, is sealed under.
 */
export async function withoutRetiredKeys(
  context: NodeContext,
  manifest: Manifest,
  pinned: ReadonlySet<number>,
): Promise<Manifest> {
  const { retiring = [] } = manifest;
  const past = retiring.filter((key) => isPastHistory(manifest, key) && !pinned.has(key.number));
  if (past.length === 0) return manifest;
  // None is expected: what follows a generation that needs no old key was sealed after it. The look is cheap, the loss not.
  const unfolded = await keysOfUnfolded(context, manifest);
  const leaving = new Set(past.map(({ number }) => number).filter((number) => !unfolded.has(number)));
  if (leaving.size === 0) return manifest;
  const { retiring: _retiring, ...rest } = manifest;
  const staying = retiring.filter(({ number }) => !leaving.has(number));
  const keys = manifest.keys.filter(({ number, opens }) => opens !== undefined || !leaving.has(number));
  return { ...rest, keys, ...(staying.length > 0 && { retiring: staying }) };
}

/** Numbers of the database's own data keys that its fragments after the generation are sealed under. */
async function keysOfUnfolded(context: NodeContext, manifest: Manifest): Promise<Set<number>> {
  const { runtime, dataStore, logStore } = context;
  const line = lineOf(manifest);
  const { carried } = manifest;
  const generation =
    manifest.generation && (await readGenerationWithoutKey(runtime, dataStore, line, manifest.generation));
  return withUnfoldedRanges(context, manifest, async (ranges) => {
    const numbers = new Set<number>();
    const unfolded = { runtime, dataStore, logStore, line, carried, ranges };
    for await (const { bytes, header } of readUnfolded(unfolded, chainPoint(generation))) {
      if (header.database === manifest.id) numbers.add(fragmentKeyNumber(bytes));
    }
    return numbers;
  });
}
