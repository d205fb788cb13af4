import type { DatabaseId } from '../identity.js';
import { ByocError } from '../errors/catalogue.js';
import { claim } from '../ownership/claim.js';
import { isServiceWrapped } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { carryUnfolded } from './carry-fragments.js';
import { foldDatabase } from './fold-database.js';
import type { NodeContext } from './node-context.js';
import { liveManifest, own, releaseDatabase } from './ready-database.js';

/**
 * Claims a database that is not open, folds everything into a generation of its own and gives it up again: then it needs
 * the log of no epoch. Where a client holds the key nobody can fold; then the sealed fragments are moved as they are. Throws `DATABASE_NOT_FOUND`, `DATABASE_MOVED`, the key errors and those of the store.
 */
export async function settleDatabase(context: NodeContext, id: DatabaseId): Promise<void> {
  const found = await liveManifest(context, id);
  if (!found.manifest.keys.every(isServiceWrapped)) {
    await carryAndRelease(context, found);
    return;
  }
  const owned = await own(context, id, { justRead: found });
  try {
    const number = context.generationNumbers.next(owned.owned.manifest.generation?.number ?? 0);
    const folded = await foldDatabase(context, owned, number);
    context.unfolded.folded(id, folded.manifest.generation?.commit ?? 0);
    await releaseDatabase(context, folded);
  } finally {
    owned.unlocked.wipe();
  }
}

async function carryAndRelease(context: NodeContext, found: VersionedManifest): Promise<void> {
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const { owner: _owner, carried: _carried, ...manifest } = claimed.manifest;
  if (manifest.deletedAtMs !== undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  const carried = await carryUnfolded(context, claimed.manifest);
  const result = await context.manifests.replace(claimed, { ...manifest, tail: [], ...(carried && { carried }) });
  if ('lost' in result) throw new ByocError('DATABASE_MOVED', `database ${manifest.id} was claimed by another node`);
  context.unfolded.forget(manifest.id);
}
