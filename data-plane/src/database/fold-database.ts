/** The owner's checkpoint: fold what is durable into a new generation, then let the manifest name it. */
import { ByocError } from '../errors/catalogue.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { fold } from '../storage/fold.js';
import { pageBytes } from '../storage/fragment.js';
import { readGeneration } from '../storage/generation.js';
import type { Manifest } from '../storage/manifest.js';
import { chainPoint } from '../storage/restore.js';
import { readTail, type TailFragment } from '../storage/tail.js';
import type { NodeContext } from './node-context.js';
import { withUnfoldedRanges, type OwnedDatabase } from './ready-database.js';

/** Whether the fragments since the last generation have become many, by number or by size relative to the database. */
export function isFoldDue(context: NodeContext, manifest: Manifest, databasePages: number, tailBytes: number): boolean {
  const { foldMinBytes, foldMaxBytes, foldFragments } = context.policy;
  const { fragments, bytes } = context.unfolded.of(manifest.id, manifest.term);
  const inTail = manifest.tail.reduce((sum, range) => sum + range.fragments.length, 0);
  const dueBytes = Math.min(foldMaxBytes, Math.max(foldMinBytes, (databasePages * pageBytes) / 8));
  return fragments.length + inTail >= foldFragments || bytes + tailBytes >= dueBytes;
}

/**
 * Folds everything that is durable now. Returns the manifest that names the new generation; the caller adopts it and
 * drops what it holds from the unfolded fragments in one step. Throws `DATABASE_MOVED` when
 * another epoch has claimed the database meanwhile, and the errors of the store; the database is unharmed then.
 */
export async function foldDatabase(
  context: NodeContext,
  database: OwnedDatabase,
  number: number,
): Promise<VersionedManifest> {
  const { runtime, dataStore, epoch } = context;
  const { owned, unlocked } = database;
  const { manifest } = owned;
  const { sealer } = unlocked;
  const { generation, fragments } = await withUnfoldedRanges(context, manifest, async (ranges) => {
    const generation =
      manifest.generation && (await readGeneration(runtime, dataStore, sealer, manifest.id, manifest.generation));
    const fragments: TailFragment[] = [];
    for await (const fragment of readTail(runtime, context, sealer, manifest.id, chainPoint(generation), ranges)) {
      fragments.push(fragment);
    }
    return { generation, fragments };
  });
  if (fragments.length === 0) return owned;
  const { reference } = await fold({
    runtime,
    store: dataStore,
    sealer,
    database: manifest.id,
    reservedBytes: manifest.reservedBytes,
    ...(manifest.generation && generation && { base: { reference: manifest.generation, generation } }),
    term: manifest.term,
    number,
    fragments,
  });
  const result = await context.manifests.replace(owned, { ...manifest, generation: reference, tail: [] });
  if ('lost' in result) {
    const { owner, term } = result.lost;
    // An earlier fold's answer never came, but its manifest did: what it folded counts.
    const again = owner === epoch && term === manifest.term ? await context.manifests.read(manifest.id) : undefined;
    if (again) return again;
    throw new ByocError('DATABASE_MOVED', `database ${manifest.id} was claimed by ${String(owner)}, not ${epoch}`);
  }
  return result;
}
