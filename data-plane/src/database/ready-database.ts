/**
 * From a database id to a local file that an engine can open: manifest, claim, data key, generation, tail.
 *
 * Store round trips in sequence, after the name: manifest; claim beside key and generation; segments beside the first part
 * of the tail.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { PresentedKey } from '../keys/client-key.js';
import { claim } from '../ownership/claim.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import type { LogRange } from '../storage/log-location.js';
import { generationKey } from '../storage/generation.js';
import { lineOf, type Manifest } from '../storage/manifest.js';
import { manifestName } from '../storage/object-names.js';
import { restore, type RestoredDatabase } from '../storage/restore.js';
import type { RestoredFile } from '../storage/restored-file.js';
import { admittedKey } from './client-key-admission.js';
import { countedReads } from './counted-reads.js';
import { unlock, type UnlockedDatabase } from './database-keys.js';
import type { NodeContext } from './node-context.js';

/** A database that this epoch owns and holds the key of. */
export interface OwnedDatabase {
  readonly owned: VersionedManifest;
  readonly unlocked: UnlockedDatabase;
}

export function manifestMissing(id: DatabaseId): ByocError {
  return new ByocError('STORE_OBJECT_MISSING', `the manifest of a database is gone, object ${manifestName(id)}`);
}

/**
 * The manifest of a database whose manifest was seen before. Throws `DATABASE_NOT_FOUND` when it was deleted,
 * `STORE_OBJECT_MISSING` when the manifest, which is never deleted, is gone.
 */
export async function liveManifest(context: NodeContext, id: DatabaseId): Promise<VersionedManifest> {
  return assertLive(context, id, await context.manifests.read(id));
}

function assertLive(context: NodeContext, id: DatabaseId, found: VersionedManifest | undefined): VersionedManifest {
  if (!found) throw manifestMissing(id);
  if (found.manifest.deletedAtMs !== undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  if (found.manifest.deployment !== context.deployment) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `the manifest of database ${id} belongs to another deployment`);
  }
  return found;
}

/**
 * Ends this epoch's ownership. What is not folded is named in the manifest, for a node whose log stays as it is. Throws
 * `DATABASE_MOVED` when another epoch has claimed the database, and the errors of the store.
 */
export async function releaseDatabase(context: NodeContext, owned: VersionedManifest): Promise<void> {
  const { owner: _owner, ...manifest } = owned.manifest;
  const tail = unfoldedRanges(context, owned.manifest);
  const result = await context.manifests.replace(owned, { ...manifest, tail });
  if ('lost' in result) throw new ByocError('DATABASE_MOVED', `database ${manifest.id} was claimed by another node`);
}

/** What is known already when a database is to be owned. */
export interface OwningFrom {
  readonly justRead?: VersionedManifest | undefined;
  readonly presented?: PresentedKey | undefined;
}

/**
 * Claims a database, starting from its manifest as it was just read, if it was. `presented`: what somebody sent of the key
 * that the client holds; when it is not the right one nothing was claimed. Throws `DATABASE_NOT_FOUND`, `DATABASE_MOVED`,
 * the `ENCRYPTION_…` errors, the key errors and `STORE_UNAVAILABLE`.
 */
export async function own(
  context: NodeContext,
  id: DatabaseId,
  { justRead, presented }: OwningFrom = {},
): Promise<OwnedDatabase> {
  const first = justRead ?? (await context.manifests.readAgain(id));
  // Only a claim proves that the manifest is still the one that was read: what this epoch owns may have been folded since,
  // and what was deleted may be back.
  const isToBeClaimed = first && first.manifest.owner !== context.epoch && first.manifest.deletedAtMs === undefined;
  const found = isToBeClaimed ? assertLive(context, id, first) : await liveManifest(context, id);
  const client = admittedKey(found.manifest, presented);
  const { generation } = found.manifest;
  if (generation) context.prefetch(generationKey(lineOf(found.manifest), generation));
  const claiming = claim(context.manifests, context.findRecovery, context.epoch, found);
  const unlocking = async (): Promise<UnlockedDatabase> =>
    unlock(context.runtime, context.keys, found.manifest, client);
  // Taking over from a node that died is tried until it is recovered: no request to the key service for each attempt.
  const isTakeOver = found.manifest.owner !== undefined && found.manifest.owner !== context.epoch;
  const [claimed, unlocked] = await Promise.allSettled([claiming, isTakeOver ? claiming.then(unlocking) : unlocking()]);
  if (claimed.status === 'rejected' || unlocked.status === 'rejected') {
    client?.wipe();
    if (unlocked.status === 'fulfilled') unlocked.value.wipe();
    throw claimed.status === 'rejected' ? claimed.reason : (unlocked as PromiseRejectedResult).reason;
  }
  const { manifest } = claimed.value;
  try {
    if (manifest.deletedAtMs !== undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
    // Its ring may have changed between the look and the claim.
    if (manifest.keys !== found.manifest.keys) await unlocked.value.follow(manifest, client);
  } catch (error) {
    unlocked.value.wipe();
    throw error;
  } finally {
    client?.wipe();
  }
  return { owned: claimed.value, unlocked: unlocked.value };
}

/**
 * The manifest as it stands after a change of it was lost to `lost`, when that is still under this epoch's term. Throws
 * `DATABASE_MOVED` when another epoch has claimed the database.
 */
export async function stillOwned(context: NodeContext, base: Manifest, lost: Manifest): Promise<VersionedManifest> {
  const isOwn = ({ owner, term }: Manifest): boolean => owner === context.epoch && term === base.term;
  const again = isOwn(lost) ? await context.manifests.read(base.id) : undefined;
  if (again && isOwn(again.manifest)) return again;
  const owner = (again?.manifest ?? lost).owner ?? 'nobody';
  throw new ByocError('DATABASE_MOVED', `database ${base.id} was claimed by ${owner}, not ${context.epoch}`);
}

/** Everything logged since the generation of the manifest, by former owners and by this epoch. */
export function unfoldedRanges(context: NodeContext, manifest: Manifest): LogRange[] {
  return withOwn(context, manifest, context.unfolded.of(manifest.id, manifest.term).fragments);
}

/** The same; what they name of this epoch's log, packs included, is not deleted before `release`. */
export function holdUnfoldedRanges(
  context: NodeContext,
  manifest: Manifest,
): { readonly ranges: readonly LogRange[]; readonly release: () => void } {
  const { fragments, release } = context.unfolded.hold(manifest.id, manifest.term);
  return { ranges: withOwn(context, manifest, fragments), release };
}

/** Gives them to `read`, and holds them until it has ended. */
export async function withUnfoldedRanges<T>(
  context: NodeContext,
  manifest: Manifest,
  read: (ranges: readonly LogRange[]) => Promise<T>,
): Promise<T> {
  const { ranges, release } = holdUnfoldedRanges(context, manifest);
  try {
    return await read(ranges);
  } finally {
    release();
  }
}

function withOwn(context: NodeContext, { tail, term }: Manifest, fragments: LogRange['fragments']): LogRange[] {
  return fragments.length === 0 ? [...tail] : [...tail, { epoch: context.epoch, term, fragments }];
}

/** Writes the database's present state to a new file, made by `createFile`; `onRead` is called for each read of a store. Throws `LOCAL_DISK_FULL` and the errors of `restore`. */
export async function restoreTo(
  context: NodeContext,
  { owned, unlocked }: OwnedDatabase,
  createFile: () => Promise<RestoredFile>,
  onRead: () => void = () => undefined,
): Promise<RestoredDatabase> {
  const { manifest } = owned;
  const { dataStore, logStore } = countedReads(context, onRead);
  try {
    return await withUnfoldedRanges(context, manifest, async (ranges) =>
      restore(await createFile(), {
        runtime: context.runtime,
        dataStore,
        logStore,
        sealer: unlocked.sealer,
        reservedBytes: manifest.reservedBytes,
        generation: manifest.generation,
        carried: manifest.carried,
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
