import type { DatabaseId } from '../identity.js';
import { foldDatabase } from './fold-database.js';
import type { NodeContext } from './node-context.js';
import { own, releaseDatabase } from './ready-database.js';

/**
 * Claims a database that is not open, folds everything into a generation of its own and gives it up again: then it needs
 * the log of no epoch. Throws `DATABASE_NOT_FOUND`, `DATABASE_MOVED`, the key errors and those of the store.
 */
export async function settleDatabase(context: NodeContext, id: DatabaseId): Promise<void> {
  const owned = await own(context, id);
  try {
    const number = context.generationNumbers.next(owned.owned.manifest.generation?.number ?? 0);
    const folded = await foldDatabase(context, owned, number);
    context.unfolded.folded(id, folded.manifest.generation?.commit ?? 0);
    await releaseDatabase(context, folded);
  } finally {
    owned.unlocked.wipe();
  }
}
