/**
 * Wraps the data keys of a database by another key of the key service. What they seal stays as it is, and the plaintext
 * does not leave the key service: nobody who uses the database notices.
 */
import { ByocError } from '../errors/catalogue.js';
import { claim } from '../ownership/claim.js';
import { isServiceWrapped } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { rewrappedKeys } from './database-keys.js';
import type { NodeContext } from './node-context.js';
import { stillOwned } from './ready-database.js';

/** How often the manifest may change under the work. */
const maxRounds = 5;

/**
 * Rewraps the keys of a database that this epoch owns, those of its ancestors that it holds included. Returns its manifest as
 * it is then, unchanged when `keyId` wraps everything already. Throws `KEY_HELD_BY_CLIENT`, `KEY_ID_INVALID`, `KEY_REVOKED` when either key is
 * refused, `KEY_WRONG`, `KEY_UNAVAILABLE`, and `DATABASE_MOVED`.
 */
export async function rewrapDatabase(
  context: NodeContext,
  owned: VersionedManifest,
  keyId: string,
): Promise<VersionedManifest> {
  let current = owned;
  for (let round = 1; ; round++) {
    const { manifest } = current;
    const keys = await rewrappedKeys(context.keys, manifest, keyId);
    if (keys === manifest.keys) return current;
    const result = await context.manifests.replace(current, { ...manifest, keys });
    if (!('lost' in result)) return result;
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${manifest.id} changes all the time`);
    current = await stillOwned(context, manifest, result.lost);
  }
}

/**
 * The same for a database that nobody has open, a deleted one that can still be brought back included: it is claimed for the
 * time of the work. Whether anything was changed.
 */
export async function rewrapClosed(context: NodeContext, found: VersionedManifest, keyId: string): Promise<boolean> {
  const { manifest } = found;
  // Looked at first, so that running over many databases again claims none that is done.
  const isDone = manifest.keys.every((key) => isServiceWrapped(key) && key.keyId === keyId);
  if (isDone) return false;
  const wasOwned = manifest.owner === context.epoch && manifest.deletedAtMs === undefined;
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const rewrapped = await rewrapDatabase(context, claimed, keyId);
  if (!wasOwned) {
    const { owner: _owner, ...released } = rewrapped.manifest;
    // Lost to somebody who claimed or brought it back: then it is theirs.
    await context.manifests.replace(rewrapped, released);
  }
  return rewrapped !== claimed;
}
