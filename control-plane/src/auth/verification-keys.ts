import { verificationKeysObject, type VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import {
  OutcomeUnknownError,
  type ObjectStore,
  type StoredObject,
} from '@turso-byoc/data-plane/object-store/object-store.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { TokenSigner } from './token-signer.js';

const maxAttempts = 50;

/**
 * Makes sure that the published key set holds the signer's public key, and returns the set. Any number of replicas may
 * do so at once: the first one creates the object, the others add to it by If-Match, and one that finds its key there
 * writes nothing. Throws `CONTROL_STORE_CORRUPT`, `CONTROL_STORE_CONTENDED` and the store's errors.
 */
export async function publishVerificationKey(store: ObjectStore, signer: TokenSigner): Promise<VerificationKeySet> {
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const stored = await store.get(verificationKeysObject);
    const current = stored === undefined ? undefined : parseKeySet(stored);
    if (current?.keys.some((key) => key.kid === signer.kid) === true) return current;
    const next: VerificationKeySet = {
      format: 'turso-byoc/verification-keys/1',
      version: (current?.version ?? 0) + 1,
      keys: [...(current?.keys ?? []), { kid: signer.kid, algorithm: 'Ed25519', publicKey: signer.publicKey }],
    };
    try {
      const result = await store.put(
        verificationKeysObject,
        Buffer.from(JSON.stringify(next)),
        stored === undefined ? { ifAbsent: true } : { ifMatch: stored.etag },
      );
      if (result.won) return next;
    } catch (error) {
      // The next round reads what is there now, which settles it.
      if (!(error instanceof OutcomeUnknownError)) throw error;
    }
  }
  throw new ControlPlaneError('CONTROL_STORE_CONTENDED', 'the verification keys could not be published');
}

function parseKeySet(stored: StoredObject): VerificationKeySet {
  const fail = (cause?: unknown): never => {
    throw new ControlPlaneError(
      'CONTROL_STORE_CORRUPT',
      `the object ${verificationKeysObject} of the control store is not a set of verification keys`,
      { cause },
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(stored.body.toString('utf8'));
  } catch (error) {
    return fail(error);
  }
  return isKeySet(value) ? value : fail();
}

function isKeySet(value: unknown): value is VerificationKeySet {
  if (typeof value !== 'object' || value === null) return false;
  const { format, version, keys } = value as Partial<Record<keyof VerificationKeySet, unknown>>;
  if (format !== 'turso-byoc/verification-keys/1' || !Number.isSafeInteger(version) || !Array.isArray(keys))
    return false;
  return keys.every((key: unknown) => {
    if (typeof key !== 'object' || key === null) return false;
    const { kid, algorithm, publicKey } = key as Record<string, unknown>;
    return typeof kid === 'string' && algorithm === 'Ed25519' && typeof publicKey === 'string';
  });
}
