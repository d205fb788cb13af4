/**
 * The public keys that sign an exported audit log, in the store that it is exported to: one object for each, written once, so
 * that they lie under the same lock as what they prove, and the log can be verified from that store alone.
 */
import type { VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { isVerificationKey } from '../auth/verification-keys.js';
import type { TokenSigner } from '../auth/token-signer.js';
import { listedKeys } from './listed-keys.js';
import { writeOnce } from './write-once.js';

type VerificationKey = VerificationKeySet['keys'][number];

const prefix = 'audit-keys/';

/** Makes sure that the signer's public key lies beside what it signs. Throws `AUDIT_DAMAGED` and the errors of the store. */
export async function keepAuditKey(store: ObjectStore, { kid, publicKey }: TokenSigner): Promise<void> {
  const key = `${prefix}${kid}.json`;
  const entry: VerificationKey = { kid, algorithm: 'Ed25519', publicKey };
  const there = await writeOnce(store, key, Buffer.from(JSON.stringify(entry)));
  if (there !== undefined && parseAuditKey(key, there).publicKey !== publicKey) {
    throw new ControlPlaneError('AUDIT_DAMAGED', `the object ${key} is another key than the one of this control plane`);
  }
}

/** All keys that lie there; none in a control store, whose set of verification keys has them. Throws `AUDIT_DAMAGED`. */
export async function readAuditKeys(store: Pick<ObjectStore, 'get' | 'list'>): Promise<VerificationKey[]> {
  const found: VerificationKey[] = [];
  for await (const key of listedKeys(store, prefix)) {
    const object = await store.get(key);
    if (object !== undefined) found.push(parseAuditKey(key, object.body));
  }
  return found;
}

function parseAuditKey(key: string, body: Buffer): VerificationKey {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new ControlPlaneError('AUDIT_DAMAGED', `the object ${key} is not JSON`, { cause });
  }
  if (!isVerificationKey(value)) throw new ControlPlaneError('AUDIT_DAMAGED', `the object ${key} is no public key`);
  return value;
}
