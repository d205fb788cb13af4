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
 * epoch already. Throws `DATABASE_MOVED` when another epoch owns the database and is not known to have ended.
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
    if (manifest.owner === epoch) return current;
    const tail = manifest.owner === undefined ? manifest.tail : await tailAfter(findRecovery, manifest, manifest.owner);
    const result = await manifests.replace(current, { ...manifest, term: manifest.term + 1, owner: epoch, tail });
    if (!('lost' in result)) return result;
    const again = await manifests.read(manifest.id);
    if (!again) throw new ByocError('STORE_OBJECT_MISSING', `the manifest of database ${manifest.id} is missing`);
    current = again;
  }
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
