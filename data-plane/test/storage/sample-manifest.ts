import { systemRuntime, type Runtime } from '../../src/runtime.js';
import type { Manifest } from '../../src/storage/manifest.js';
import type { ManifestStore, VersionedManifest } from '../../src/storage/manifest-store.js';
import { databaseA, deployment, epochA } from './sample-database.js';

export function sampleManifest(changes: Partial<Manifest> = {}, runtime: Runtime = systemRuntime): Manifest {
  const id = changes.id ?? databaseA;
  return {
    version: 1,
    deployment,
    id,
    name: 'shop',
    organization: 'acme',
    group: { id: 'g1', name: 'default' },
    engine: 'libsql',
    createdAtMs: runtime.nowMs(),
    reservedBytes: 0,
    encryption: { mode: 'kms' },
    term: 1,
    owner: epochA,
    currentKey: 1,
    keys: [
      {
        number: 1,
        mode: 'kms',
        keyId: 'k1',
        wrapped: 'AAAA',
        context: { deployment, organization: 'acme', group: 'g1', database: id },
      },
    ],
    tail: [],
    ...changes,
  };
}

/** Creates a manifest and reads it back. */
export async function createManifest(manifests: ManifestStore, manifest: Manifest): Promise<VersionedManifest> {
  if (!(await manifests.create(manifest))) throw new Error('the manifest exists');
  return (await manifests.read(manifest.id)) as VersionedManifest;
}
