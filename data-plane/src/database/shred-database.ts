/**
 * Crypto-shred: destroys what wrapped the data keys of a deleted database, and certifies it. Three steps that can be
 * repeated from any point: compute what there is to destroy; record it, in the same write of the manifest that takes the
 * wrapped keys out of it; delete every older version of the manifest. The certificate follows, and only then are the
 * database's objects collected.
 *
 * Invariant: there is a certificate only when no version of the manifest that the store shows holds a wrapped key.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import { claim } from '../ownership/claim.js';
import { conditionalWrite, readWithRetry, withRetry } from '../storage/conditional-write.js';
import { sha256 } from '../storage/generation.js';
import { assertNotHeld, heldSinceMs } from '../storage/legal-hold.js';
import { isServiceWrapped, type Manifest } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { manifestName, shredCertificateName } from '../storage/object-names.js';
import { storedCertificate, type Heir, type ShredCertificate, type Shredding } from '../storage/shred-certificate.js';
import type { NodeContext } from './node-context.js';
import { manifestMissing, stillOwned } from './ready-database.js';

/** Who wants the wrapped keys of a deleted database destroyed before its time. */
export interface ShredRequest {
  /** For the certificate. */
  readonly requestedBy: string;
  /** Backups that hold the wrapped keys, for the certificate. */
  readonly copies?: readonly string[];
}

/** How often the manifest may change under the work. */
const maxRounds = 5;

/** Whether a deleted database can no longer be brought back: its time is over or somebody asked for that, and nobody holds it. */
export function isBeyondUndelete(
  { runtime, policy }: Pick<NodeContext, 'runtime' | 'policy'>,
  manifest: Pick<Manifest, 'deletedAtMs' | 'shredRequest' | 'collected' | 'holds'>,
): boolean {
  const { deletedAtMs, shredRequest, collected } = manifest;
  if (deletedAtMs === undefined) return false;
  if (collected === true) return true;
  if (heldSinceMs(manifest) !== undefined) return false;
  return shredRequest !== undefined || runtime.nowMs() >= deletedAtMs + policy.undeleteMs;
}

/**
 * Notes in a tombstone that it can be brought back no more. Throws `SHRED_REFUSED` when the database is not deleted,
 * `DATABASE_HELD`, `DATABASE_MOVED` when another epoch has it.
 */
export async function requestShred(
  context: NodeContext,
  found: VersionedManifest,
  { requestedBy, copies = [] }: ShredRequest,
): Promise<VersionedManifest> {
  assertShreddable(found.manifest);
  let current = await claim(context.manifests, context.findRecovery, context.epoch, found);
  for (let round = 1; ; round++) {
    const { manifest } = current;
    assertShreddable(manifest);
    if (manifest.collected === true || manifest.shredRequest) return current;
    const shredRequest = { by: requestedBy, atMs: context.runtime.nowMs(), copies };
    const result = await context.manifests.replace(current, { ...manifest, shredRequest });
    if (!('lost' in result)) return result;
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${manifest.id} changes all the time`);
    current = await stillOwned(context, manifest, result.lost);
  }
}

function assertShreddable(manifest: Manifest): void {
  const { name, deletedAtMs } = manifest;
  assertNotHeld(manifest, 'what wraps its data keys is not destroyed');
  if (deletedAtMs !== undefined) return;
  throw new ByocError('SHRED_REFUSED', `database ${name} is not deleted; its data keys are in use`);
}

/**
 * Takes the wrapped keys out of a tombstone that this epoch owns and that can be brought back no more. Returns its manifest
 * as it is then, the same when there is nothing to do. Throws `DATABASE_MOVED`, and the errors of the store.
 */
export async function recordShred(context: NodeContext, owned: VersionedManifest): Promise<VersionedManifest> {
  let current = owned;
  for (let round = 1; isBeyondUndelete(context, current.manifest) && current.manifest.keys.length > 0; round++) {
    const { manifest } = current;
    const shredding = await computed(context, current);
    if (shredding) {
      const result = await context.manifests.replace(current, { ...withoutContent(manifest), shredding });
      if (!('lost' in result)) return result;
    }
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${manifest.id} changes all the time`);
    const again = await context.manifests.read(manifest.id);
    if (!again) throw manifestMissing(manifest.id);
    current = await stillOwned(context, manifest, again.manifest);
  }
  return current;
}

function withoutContent(manifest: Manifest): Manifest {
  const { generation: _g, horizon: _h, carried: _c, retiring: _r, shredRequest: _s, ...rest } = manifest;
  return { ...rest, keys: [], tail: [], collected: true };
}

/** What there is to destroy; undefined when the manifest has changed meanwhile. */
async function computed(context: NodeContext, { manifest, etag }: VersionedManifest): Promise<Shredding | undefined> {
  const { runtime, dataStore, dataVersions, policy } = context;
  const key = manifestName(manifest.id);
  const stored = await readWithRetry(runtime, key, () => dataStore.get(key));
  if (stored?.etag !== etag) return undefined;
  const { deletedAtMs = 0, shredRequest } = manifest;
  return {
    requestedBy: shredRequest?.by ?? 'undelete window',
    requestedAtMs: shredRequest?.atMs ?? deletedAtMs + policy.undeleteMs,
    recordedAtMs: runtime.nowMs(),
    keys: manifest.keys.map((wrapped) => {
      const { number, opens } = wrapped;
      return { number, ...(isServiceWrapped(wrapped) && { keyId: wrapped.keyId }), ...(opens && { opens }) };
    }),
    manifestVersion: manifest.version,
    manifestDigest: sha256(stored.body).toString('hex'),
    olderVersions: (await readWithRetry(runtime, key, () => dataVersions.older(key))).length,
    heirs: await heirsOf(context, manifest),
    copies: shredRequest?.copies ?? [],
  };
}

/** The branches, and branches of branches, that hold data keys of a database. */
async function heirsOf(context: NodeContext, { id, pins = [] }: Manifest): Promise<Heir[]> {
  const heirs = new Map<DatabaseId, Heir>();
  const seen = new Set<DatabaseId>();
  const ahead = pins.map(({ child }) => child);
  for (let child = ahead.pop(); child !== undefined; child = ahead.pop()) {
    if (seen.has(child)) continue;
    seen.add(child);
    const found = await context.manifests.read(child);
    if (!found) continue;
    const { name, keys, pins: further = [] } = found.manifest;
    if (keys.some(({ opens }) => opens === id)) heirs.set(child, { database: child, name });
    ahead.push(...further.map((pin) => pin.child));
  }
  return [...heirs.values()].sort((a, b) => (a.database < b.database ? -1 : 1));
}

/**
 * Deletes every older version of a manifest whose wrapped keys were taken out of it, and certifies that. Returns the digest
 * of the certificate, hex. Throws `STORE_UNAVAILABLE`, also when the store does not let a version go.
 */
export async function destroyOldVersions(
  context: NodeContext,
  manifest: Manifest,
  shredding: Shredding,
): Promise<string> {
  const { runtime, dataStore, dataVersions } = context;
  const key = manifestName(manifest.id);
  const older = async (): Promise<readonly string[]> => readWithRetry(runtime, key, () => dataVersions.older(key));
  for (let versions = await older(); versions.length > 0; versions = await older()) {
    for (const version of versions) {
      const failure = `version ${version} of object ${key} could not be deleted`;
      await withRetry(runtime, failure, () => dataVersions.remove(key, version));
    }
  }
  const { deployment, id: database, name, organization, group, createdAtMs, deletedAtMs = 0 } = manifest;
  const bytes = storedCertificate.encode({
    ...shredding,
    ...{ deployment, database, name, organization, group: group.id, createdAtMs, deletedAtMs },
    epoch: context.epoch,
    destroyedAtMs: runtime.nowMs(),
  });
  const certificate = shredCertificateName(database);
  const written = await conditionalWrite(runtime, dataStore, certificate, bytes, { ifAbsent: true });
  if (written.won) return sha256(bytes).toString('hex');
  // A run that was cut off after this had certified it.
  if (!written.current) throw new ByocError('STORE_OBJECT_MISSING', `object ${certificate} was deleted`);
  const { manifestDigest } = storedCertificate.decode(certificate, written.current.body);
  if (manifestDigest !== shredding.manifestDigest) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${certificate} certifies something else`);
  }
  return sha256(written.current.body).toString('hex');
}

/** The certificate that a tombstone names. Throws `CERTIFICATE_NOT_FOUND`, `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function readCertificate(
  { runtime, dataStore, manifests }: Pick<NodeContext, 'runtime' | 'dataStore' | 'manifests'>,
  id: DatabaseId,
): Promise<ShredCertificate> {
  const digest = (await manifests.read(id))?.manifest.certificate;
  if (digest === undefined)
    throw new ByocError('CERTIFICATE_NOT_FOUND', `the data keys of database ${id} were not destroyed`);
  const key = shredCertificateName(id);
  const object = await readWithRetry(runtime, key, () => dataStore.get(key));
  if (!object) throw new ByocError('STORE_OBJECT_MISSING', `object ${key} is missing`);
  if (sha256(object.body).toString('hex') !== digest) {
    throw new ByocError('STORE_OBJECT_CORRUPT', `object ${key} is not the certificate that the manifest names`);
  }
  return storedCertificate.decode(key, object.body);
}
