/**
 * The public keys that sign an exported audit log, in the store that it is exported to: a key set of one in an object of its own,
 * written once, so that keys lie under the same lock as what they prove, and the log can be verified from that store alone.
 */
import type { VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import { parseVerificationKeySet, type VerificationKey } from '@turso-byoc/data-plane/auth/verification-key-set.js';
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { listKeys } from '@turso-byoc/data-plane/storage/list-keys.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { createOrRead } from './create-or-read.js';

const prefix = 'audit-keys/';

/** Makes sure that the signer's public key lies beside what it signs. Throws `AUDIT_DAMAGED` and the errors of the store. */
export async function keepAuditKey(store: ObjectStore, { kid, publicKey }: TokenSigner): Promise<void> {
  const name = `${prefix}${kid}.json`;
  const set: VerificationKeySet = {
    format: 'turso-byoc/verification-keys/1',
    version: 1,
    keys: [{ kid, algorithm: 'Ed25519', publicKey }],
  };
  const there = await createOrRead(store, name, Buffer.from(JSON.stringify(set)));
  if (there !== undefined && !parseAuditKeys(name, there).some((key) => key.publicKey === publicKey)) {
    throw new ControlPlaneError(
      'AUDIT_DAMAGED',
      `the object ${name} is another key than the one of this control plane`,
    );
  }
}

/** All keys that lie there; none in a control store, whose set of verification keys has them. Throws `AUDIT_DAMAGED`. */
export async function readAuditKeys(store: Pick<ObjectStore, 'get' | 'list'>): Promise<VerificationKey[]> {
  const found: VerificationKey[] = [];
  for await (const name of listKeys(systemRuntime, store, prefix)) {
    const object = await store.get(name);
    if (object !== undefined) found.push(...parseAuditKeys(name, object.body));
  }
  return found;
}

function parseAuditKeys(name: string, body: Buffer): VerificationKey[] {
  try {
    return [...parseVerificationKeySet(body).keys.values()];
  } catch (cause) {
    if (!isByocError(cause)) throw cause;
    throw new ControlPlaneError('AUDIT_DAMAGED', `the object ${name} is no public key`, { cause });
  }
}
