/**
 * A claim makes this epoch the one writer of a database: a conditional write of the manifest with a new term and, in its
 * tail, what the former owner logged. It is allowed when nobody owns the database or the owner's epoch is recovered.
 */
import { ByocError } from '../errors/catalogue.js';
import type { NodeEpoch } from '../identity.js';
import type { ManifestStore, VersionedManifest } from '../storage/manifest-store.js';
import type { LogRange } from '../storage/log-location.js';
import type { Manifest } from '../storage/manifest.js';
import { recoveredFragments, type RecoveryRecord } from './recovery-record.js';

export type FindRecovery = (epoch: NodeEpoch) => Promise<RecoveryRecord | undefined>;

/**
 * Returns the manifest with this epoch as its owner. A claim whose answer was lost is recognized: the manifest names this
 * epoch already. Then a change that this epoch gave up may still be on its way, the end of its ownership for one, and would take
 * everything from it that is logged from now on: the manifest is written once more, which leaves that nothing to change. Throws `DATABASE_MOVED` when another epoch owns the database and is not known to have ended.
 */
export async function claim(
  manifests: ManifestStore,
  findRecovery: FindRecovery,
  epoch: NodeEpoch,
  found: VersionedManifest,
): Promise<VersionedManifest> {
  let current = found;
  for (;;) {
    const { manifest } = current;
    const isOwn = manifest.owner === epoch;
    if (isOwn && !manifests.mayStillChange(current)) return current;
    const next = isOwn ? manifest : await claimed(findRecovery, manifest, epoch);
    const result = await manifests.replace(current, next);
    if (!('lost' in result)) return result;
    const again = await manifests.read(manifest.id);
    if (!again) throw new ByocError('STORE_OBJECT_MISSING', `the manifest of database ${manifest.id} is missing`);
    current = again;
  }
}

async function claimed(findRecovery: FindRecovery, manifest: Manifest, epoch: NodeEpoch): Promise<Manifest> {
  const { owner, term } = manifest;
  const tail = owner === undefined ? manifest.tail : await tailAfter(findRecovery, manifest, owner);
  return { ...manifest, term: term + 1, owner: epoch, tail };
}

async function tailAfter(
  findRecovery: FindRecovery,
  manifest: Manifest,
  owner: NodeEpoch,
): Promise<readonly LogRange[]> {
  const recovery = await findRecovery(owner);
  if (!recovery) {
    throw new ByocError('DATABASE_MOVED', `database ${manifest.id} is served by another node`);
  }
  const folded = manifest.generation?.commit ?? 0;
  const fragments = recoveredFragments(recovery, manifest.id, manifest.term).filter(([, , , , last]) => last > folded);
  return fragments.length === 0 ? manifest.tail : [...manifest.tail, { epoch: owner, term: manifest.term, fragments }];
}
