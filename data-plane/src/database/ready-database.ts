/**
 * From a database id to a local file that an engine can open: manifest, claim, data key, generation, tail.
 *
 * Store round trips in sequence: manifest; claim beside key and generation; segments beside the first part of the tail.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { claim } from '../ownership/claim.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { LogRange } from '../storage/log-location.js';
import type { Manifest } from '../storage/manifest.js';
import { restore, type RestoredDatabase } from '../storage/restore.js';
import { unlock, type UnlockedDatabase } from './database-keys.js';
import type { NodeContext } from './node-context.js';

/** A database that this epoch owns and holds the key of. */
export interface OwnedDatabase {
  readonly owned: VersionedManifest;
  readonly unlocked: UnlockedDatabase;
}

/** The manifest of a database that exists. Throws `DATABASE_NOT_FOUND`, also for a deleted one. */
export async function liveManifest(context: NodeContext, id: DatabaseId): Promise<VersionedManifest> {
  const found = await context.manifests.read(id);
  if (!found || found.manifest.deletedAtMs !== undefined)
    throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  if (found.manifest.deployment !== context.deployment) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the manifest of database ${id} belongs to another deployment`);
  }
  return found;
}

/** Throws `DATABASE_NOT_FOUND`, `DATABASE_MOVED`, the key errors and `STORE_UNAVAILABLE`. */
export async function own(context: NodeContext, id: DatabaseId): Promise<OwnedDatabase> {
  const found = await liveManifest(context, id);
  const [claimed, unlocked] = await Promise.allSettled([
    claim(context.manifests, context.findRecovery, context.epoch, found),
    unlock(context.runtime, context.keys, found.manifest),
  ]);
  if (claimed.status === 'rejected' || unlocked.status === 'rejected') {
    if (unlocked.status === 'fulfilled') unlocked.value.wipe();
    throw claimed.status === 'rejected' ? claimed.reason : (unlocked as PromiseRejectedResult).reason;
  }
  const { manifest } = claimed.value;
  if (manifest.deletedAtMs !== undefined) {
    unlocked.value.wipe();
    throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  }
  return { owned: claimed.value, unlocked: unlocked.value };
}

/** Everything logged since the generation of the manifest, by former owners and by this epoch. */
export function unfoldedRanges(context: NodeContext, manifest: Manifest): LogRange[] {
  return withOwn(context, manifest, context.unfolded.of(manifest.id, manifest.term).fragments);
}

/** Gives them to `read`, and keeps what they name of this epoch's log from being deleted until it has ended. */
export async function withUnfoldedRanges<T>(
  context: NodeContext,
  manifest: Manifest,
  read: (ranges: readonly LogRange[]) => Promise<T>,
): Promise<T> {
  const held = context.unfolded.hold(manifest.id, manifest.term);
  try {
    return await read(withOwn(context, manifest, held.fragments));
  } finally {
    held.release();
  }
}

function withOwn(context: NodeContext, { tail, term }: Manifest, fragments: LogRange['fragments']): LogRange[] {
  return fragments.length === 0 ? [...tail] : [...tail, { epoch: context.epoch, term, fragments }];
}

/** Writes the database's present state to a new file. Throws `LOCAL_DISK_FULL` and the errors of `restore`. */
export async function restoreTo(
  context: NodeContext,
  { owned, unlocked }: OwnedDatabase,
  path: string,
): Promise<RestoredDatabase> {
  const { manifest } = owned;
  try {
    return await withUnfoldedRanges(context, manifest, async (ranges) =>
      restore(path, {
        runtime: context.runtime,
        dataStore: context.dataStore,
        logStore: context.logStore,
        sealer: unlocked.sealer,
        database: manifest.id,
        reservedBytes: manifest.reservedBytes,
        generation: manifest.generation,
        ranges,
      }),
    );
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new ByocError('LOCAL_DISK_FULL', `the cache volume has no space for database ${manifest.id}`, { cause });
    }
    throw cause;
  }
}
