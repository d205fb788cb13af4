/**
 * Changes who holds the key that wraps the data keys of a database: the key service, its client, or another key of the same
 * client. The data keys stay, so nothing is sealed anew; who could unwrap them before still can, with a manifest from before,
 * until the database is rekeyed (`rekey-database.ts`).
 *
 * Invariant: all data keys of a manifest are wrapped anew in one write, with the check value by which the next request is
 * admitted: there is no state between.
 */
import { ByocError } from '../errors/catalogue.js';
import type { CipherName } from '../keys/ciphers.js';
import { ClientKey, type PresentedKey } from '../keys/client-key.js';
import { claim } from '../ownership/claim.js';
import { assertNotHeld } from '../storage/legal-hold.js';
import type { DatabaseEncryption, Manifest, WrappedDataKey } from '../storage/manifest.js';
import type { VersionedManifest } from '../storage/manifest-store.js';
import { admittedKey, clientEncryption } from './client-key-admission.js';
import { openDataKey, rewrappedKeys, wrapByClient, wrapByService } from './database-keys.js';
import type { NodeContext } from './node-context.js';
import { stillOwned } from './ready-database.js';

/** Who is to hold the key: the client that sends it with this call, or the key service. */
export type KeyHolder =
  | { readonly mode: 'client'; readonly key: string; readonly cipher: CipherName }
  /** `keyId`: the key of the key service. @default the deployment's */
  | { readonly mode: 'kms'; readonly keyId?: string };

export interface WrappingChange {
  /** What the client sends of its present key, where it holds one. */
  readonly encryption?: PresentedKey;
  readonly to: KeyHolder;
}

/** How often the manifest may change under the work. */
const maxRounds = 5;

/**
 * Wraps the data keys of a database that this epoch owns as `change` says. Returns its manifest as it is then; unchanged when
 * they are wrapped so already. Throws the `ENCRYPTION_…` errors when the call does not bring the present key of the client, or
 * a malformed new one, `KEY_ID_INVALID`, `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, and `DATABASE_MOVED`.
 */
export async function changeWrapping(
  context: NodeContext,
  owned: VersionedManifest,
  change: WrappingChange,
): Promise<VersionedManifest> {
  let current = owned;
  for (let round = 1; ; round++) {
    const { manifest } = current;
    const next = await changed(context, manifest, change);
    if (next === manifest) return current;
    const result = await context.manifests.replace(current, next);
    if (!('lost' in result)) return result;
    if (round === maxRounds) throw new ByocError('OVERLOADED', `the manifest of ${manifest.id} changes all the time`);
    current = await stillOwned(context, manifest, result.lost);
  }
}

/** The same for a database that nobody has open: it is claimed for the time of the work. */
export async function changeWrappingOfClosed(
  context: NodeContext,
  found: VersionedManifest,
  change: WrappingChange,
): Promise<void> {
  // Looked at first: a wrong key changes nothing.
  const before = await changed(context, found.manifest, change);
  if (before === found.manifest) return;
  const wasOwned = found.manifest.owner === context.epoch;
  const claimed = await claim(context.manifests, context.findRecovery, context.epoch, found);
  const result = await changeWrapping(context, claimed, change);
  if (wasOwned) return;
  const { owner: _owner, ...released } = result.manifest;
  // Lost to somebody who claimed it: then it is theirs.
  await context.manifests.replace(result, released);
}

async function changed(
  context: NodeContext,
  manifest: Manifest,
  { encryption: presented, to }: WrappingChange,
): Promise<Manifest> {
  if (manifest.deletedAtMs !== undefined) throw new ByocError('DATABASE_NOT_FOUND', 'database not found');
  if (to.mode === 'client') {
    const next = ClientKey.parse(to.key, to.cipher);
    try {
      return await heldByClient(context, manifest, presented, next, to.cipher);
    } finally {
      next.wipe();
    }
  }
  const { keys } = context;
  const { keyId = keys.defaultKeyId } = to;
  if (manifest.encryption.mode === 'kms') {
    const rewrapped = to.keyId === undefined ? manifest.keys : await rewrappedKeys(keys, manifest, to.keyId);
    return rewrapped === manifest.keys ? manifest : { ...manifest, keys: rewrapped };
  }
  return wrappedAnew(context, manifest, presented, { mode: 'kms' }, async (entry, dataKey) =>
    wrapByService(keys, manifest, keyId, entry, dataKey),
  );
}

async function heldByClient(
  context: NodeContext,
  manifest: Manifest,
  presented: PresentedKey | undefined,
  next: ClientKey,
  cipher: CipherName,
): Promise<Manifest> {
  const { encryption, deployment, id: database } = manifest;
  const isHeld =
    encryption.mode === 'client' &&
    encryption.cipher === cipher &&
    next.matches({ deployment, database, cipher }, encryption.check);
  // A call that is repeated may bring the key from before, or none.
  if (isHeld) return manifest;
  // Whoever has the only key can make everything unreadable by losing it.
  if (encryption.mode === 'kms') assertNotHeld(manifest, 'its keys are not given to a client');
  const { runtime } = context;
  const held = clientEncryption(next, { deployment, database }, cipher);
  return wrappedAnew(context, manifest, presented, held, async (entry, dataKey) =>
    Promise.resolve(wrapByClient(runtime, next, entry, dataKey)),
  );
}

async function wrappedAnew(
  context: NodeContext,
  manifest: Manifest,
  presented: PresentedKey | undefined,
  encryption: DatabaseEncryption,
  wrap: (entry: WrappedDataKey, dataKey: Buffer) => Promise<WrappedDataKey>,
): Promise<Manifest> {
  const client = admittedKey(manifest, presented);
  try {
    const keys: WrappedDataKey[] = [];
    for (const entry of manifest.keys) {
      const dataKey = await openDataKey(context.keys, manifest, entry, client);
      try {
        keys.push(await wrap(entry, dataKey));
      } finally {
        dataKey.fill(0);
      }
    }
    return { ...manifest, encryption, keys };
  } finally {
    client?.wipe();
  }
}
