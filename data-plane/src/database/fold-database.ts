/** The owner's checkpoint: fold what is durable into a new generation, then let the manifest name it. */
import type { VersionedManifest } from '../storage/manifest-store.js';
import { fold } from '../storage/fold.js';
import { pageBytes } from '../storage/fragment.js';
import { openingFragment, type TailFragment } from '../storage/fragment-chain.js';
import { isResealing, withGeneration } from '../storage/data-key-use.js';
import { readGeneration, type Generation } from '../storage/generation.js';
import type { GenerationReference, Manifest } from '../storage/manifest.js';
import { chainPoint } from '../storage/restore.js';
import { Turns } from '../turns.js';
import { readUnfolded } from '../storage/unfolded.js';
import type { NodeContext } from './node-context.js';
import { stillOwned, withUnfoldedRanges, type OwnedDatabase } from './ready-database.js';

/** Whether the fragments since the last generation have become many, by number or by size relative to the database. */
export function isFoldDue(context: NodeContext, manifest: Manifest, databasePages: number, tailBytes: number): boolean {
  const { foldMinBytes, foldMaxBytes, foldFragments } = context.policy;
  const { fragments, bytes } = context.unfolded.of(manifest.id, manifest.term);
  const inTail = manifest.tail.reduce((sum, range) => sum + range.fragments.length, 0);
  const dueBytes = Math.min(foldMaxBytes, Math.max(foldMinBytes, (databasePages * pageBytes) / 8));
  return fragments.length + inTail >= foldFragments || bytes + tailBytes >= dueBytes;
}

export interface FoldOptions {
  readonly evenIfNothing?: boolean;
}

/**
 * Folds everything that is durable now; while a data key is being replaced, a part of what is sealed under it is sealed
 * anew on the way, with `evenIfNothing` also when nothing is to be folded. That must be asked for only when every commit
 * that may be sealed under the old key is durable: the new generation claims to be all there is under that key. Returns the manifest that names the new generation; the caller adopts it and
 * drops what it holds from the unfolded fragments in one step. Throws `DATABASE_MOVED` when
 * another epoch has claimed the database meanwhile, and the errors of the store; the database is unharmed then.
 */
export async function foldDatabase(
  context: NodeContext,
  database: OwnedDatabase,
  number: number,
  options: FoldOptions = {},
): Promise<VersionedManifest> {
  const { runtime, observer } = context;
  const startedMs = runtime.monotonicMs();
  try {
    const folded = await foldOnce(context, database, number, options);
    if (folded !== database.owned) observer?.folded?.('done', runtime.monotonicMs() - startedMs);
    return folded;
  } catch (error) {
    observer?.folded?.('failed', runtime.monotonicMs() - startedMs);
    throw error;
  }
}

async function foldOnce(
  context: NodeContext,
  database: OwnedDatabase,
  number: number,
  { evenIfNothing = false }: FoldOptions,
): Promise<VersionedManifest> {
  const { runtime, dataStore, logStore } = context;
  const { owned, unlocked } = database;
  const { manifest } = owned;
  const { sealer } = unlocked;
  const generation = manifest.generation && (await readGeneration(runtime, dataStore, sealer, manifest.generation));
  const turns = new Turns(runtime, 'background');
  const fragments: TailFragment[] = [];
  await withUnfoldedRanges(context, manifest, async (ranges) => {
    const { carried } = manifest;
    const unfolded = { runtime, dataStore, logStore, line: sealer.line, carried, ranges };
    for await (const fragment of readUnfolded(unfolded, chainPoint(generation))) {
      fragments.push(await turns.run(openingFragment(sealer, fragment)));
    }
  });
  const isAnew = isResealing(manifest);
  if (fragments.length === 0 && !(evenIfNothing && isAnew && generation)) return owned;
  const folded = await fold({
    runtime,
    store: dataStore,
    sealer,
    reservedBytes: manifest.reservedBytes,
    ...(manifest.generation && generation && { base: { reference: manifest.generation, generation } }),
    term: manifest.term,
    number,
    fragments,
    ...(isAnew && { resealBytes: context.policy.resealBytes }),
  });
  return swing(context, owned, folded);
}

/** Lets the manifest name the new generation, whatever else changed in it meanwhile under the same term. */
async function swing(
  context: NodeContext,
  base: VersionedManifest,
  { reference, generation }: { readonly reference: GenerationReference; readonly generation: Generation },
): Promise<VersionedManifest> {
  for (let current = base; ;) {
    const { carried: _folded, ...rest } = current.manifest;
    const next = { ...withGeneration(rest, reference, generation), tail: [] };
    const result = await context.manifests.replace(current, next);
    if (!('lost' in result)) return result;
    const again = await stillOwned(context, base.manifest, result.lost);
    // An earlier fold's answer never came, but its manifest did: what it folded counts.
    if (again.manifest.generation?.digest !== base.manifest.generation?.digest) return again;
    current = again;
  }
}
