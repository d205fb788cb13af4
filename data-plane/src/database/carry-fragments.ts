/** Fragments put into an archive of their own, so that no log is needed for them any more. */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { encodeCarriedFragments } from '../storage/archive.js';
import { conditionalWrite } from '../storage/conditional-write.js';
import type { SealedFragment } from '../storage/fragment-chain.js';
import { readGenerationWithoutKey } from '../storage/generation.js';
import { hashing } from '../storage/long-buffers.js';
import { lineOf, type CarriedFragments, type Manifest } from '../storage/manifest.js';
import { carriedFragmentsName } from '../storage/object-names.js';
import { chainPoint } from '../storage/restore.js';
import { readUnfolded } from '../storage/unfolded.js';
import { Turns } from '../turns.js';
import type { NodeContext } from './node-context.js';
import { withUnfoldedRanges } from './ready-database.js';

/** A fresh name for one attempt to make objects that a manifest will name: 16 hex digits. */
export function newAttempt({ runtime }: Pick<NodeContext, 'runtime'>): string {
  return runtime.randomBytes(8).toString('hex');
}

/** Stores fragments, at least one, in order, as what a database carries after its generation. */
export async function storeCarried(
  { runtime, dataStore }: Pick<NodeContext, 'runtime' | 'dataStore'>,
  database: DatabaseId,
  attempt: string,
  fragments: readonly SealedFragment[],
): Promise<CarriedFragments> {
  const last = fragments.at(-1);
  if (!last) throw new Error('nothing to carry');
  const turns = new Turns(runtime, 'background');
  const bytes = await turns.run(encodeCarriedFragments(fragments));
  const key = carriedFragmentsName(database, attempt);
  const written = await conditionalWrite(runtime, dataStore, key, bytes, { ifAbsent: true });
  if (!written.won) throw new Error(`object ${key} was written by someone else`);
  return { attempt, digest: (await turns.run(hashing(bytes))).toString('hex'), commit: last.header.lastCommit };
}

/**
 * Moves what is not folded out of the logs, without a key. Returns what the manifest is to carry, undefined when that is
 * nothing. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT` when the database is damaged.
 */
export async function carryUnfolded(context: NodeContext, manifest: Manifest): Promise<CarriedFragments | undefined> {
  const { runtime, dataStore, logStore } = context;
  const line = lineOf(manifest);
  const fragments = await withUnfoldedRanges(context, manifest, async (ranges) => {
    if (ranges.length === 0) return undefined;
    const generation =
      manifest.generation && (await readGenerationWithoutKey(runtime, dataStore, line, manifest.generation));
    const read: SealedFragment[] = [];
    const unfolded = { runtime, dataStore, logStore, line, carried: manifest.carried, ranges };
    for await (const fragment of readUnfolded(unfolded, chainPoint(generation))) read.push(fragment);
    return read;
  });
  if (!fragments) return manifest.carried;
  return fragments.length === 0 ? undefined : storeCarried(context, manifest.id, newAttempt(context), fragments);
}

/** Whether an error says that stored objects of a database are missing or damaged. */
export function isDamage(error: unknown): boolean {
  return error instanceof ByocError && (error.code === 'STORE_OBJECT_MISSING' || error.code === 'STORE_OBJECT_CORRUPT');
}
