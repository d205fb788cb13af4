import { cipherNames, isCipherName, type CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import { ClientKey } from '@turso-byoc/data-plane/keys/client-key.js';
import { isByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { isUnasked } from './unasked.js';

/** The data plane takes no longer ids; it says which of them name a key. */
const maxKeyIdLength = 512;

/** A key that a client holds, as a creation gives it. It goes to the data plane and nowhere else: no row, no log, no error. */
export interface AskedClientKey {
  /** Base64, unread. */
  readonly key: string;
  readonly cipher?: CipherName;
}

/** What is to wrap the data key: a key of the key service, by its name, or the client's. */
export type AskedEncryption = { readonly keyId: string } | { readonly clientKey: AskedClientKey };

/** A client's key that was found to be one for this cipher. */
export interface ClientEncryption {
  readonly key: string;
  readonly cipher: CipherName;
}

/**
 * Reads `remote_encryption` of a creation: `{"kms_key_arn": …}` or `{"encryption_key": …, "encryption_cipher": …}`.
 * Undefined when nothing is asked. Throws `MALFORMED_REQUEST`, `ENCRYPTION_INVALID`, and `OPTION_NOT_OFFERED` for other
 * ways to encrypt; none of them repeats a key.
 */
export function parseRemoteEncryption(remoteEncryption: unknown): AskedEncryption | undefined {
  if (isUnasked(remoteEncryption)) return undefined;
  if (typeof remoteEncryption !== 'object' || remoteEncryption === null || Array.isArray(remoteEncryption)) {
    throw new ControlPlaneError('MALFORMED_REQUEST', '"remote_encryption" must be an object');
  }
  const {
    kms_key_arn: keyId,
    encryption_key: key,
    encryption_cipher: cipher,
    ...others
  } = remoteEncryption as Record<string, unknown>;
  for (const [name, value] of Object.entries(others)) {
    if (isUnasked(value)) continue;
    // Not any name: what stands beside a key may be one.
    const shown = /^[a-z_]{1,32}$/.test(name) ? `"${name}"` : 'an option';
    throw new ControlPlaneError('OPTION_NOT_OFFERED', `${shown} of "remote_encryption" is not offered`);
  }
  const hasClientKey = !isUnasked(key) || !isUnasked(cipher);
  if (isUnasked(keyId)) return hasClientKey ? { clientKey: parseClientKey(key, cipher) } : undefined;
  if (hasClientKey) throw invalid('a key of the key service wraps the data key, or the client does: not both');
  if (typeof keyId === 'string' && keyId.length <= maxKeyIdLength) return { keyId };
  throw new ControlPlaneError('MALFORMED_REQUEST', `"kms_key_arn" must be at most ${maxKeyIdLength} characters`);
}

function parseClientKey(key: unknown, cipher: unknown): AskedClientKey {
  if (isUnasked(key)) throw invalid('"encryption_cipher" needs "encryption_key"');
  if (typeof key !== 'string') throw new ControlPlaneError('MALFORMED_REQUEST', '"encryption_key" must be a string');
  if (isUnasked(cipher)) return { key };
  if (!isCipherName(cipher)) throw invalid(`"encryption_cipher" must be one of ${cipherNames.join(', ')}`);
  return { key, cipher };
}

/** The key of a new database that is no branch. Throws `ENCRYPTION_INVALID`. */
export function newClientEncryption({ key, cipher }: AskedClientKey): ClientEncryption {
  if (cipher === undefined) throw invalid('"encryption_key" needs "encryption_cipher"');
  return proven({ key, cipher });
}

/**
 * The key of a branch: it has its parent's key, which the data plane checks, and cipher. Throws `ENCRYPTION_INVALID` when a
 * key is there and the parent has none, or the other way round.
 */
export function branchClientEncryption(
  asked: AskedClientKey | undefined,
  parent: { readonly name: string; readonly encryptionCipher?: CipherName },
): ClientEncryption | undefined {
  const { name, encryptionCipher: cipher } = parent;
  if (cipher === undefined) {
    if (asked === undefined) return undefined;
    throw invalid(`database ${name} is not encrypted with a key that its client holds, nor is a branch of it`);
  }
  if (asked === undefined) throw invalid(`a branch of ${name} needs its "encryption_key": the client holds it`);
  if (asked.cipher !== undefined && asked.cipher !== cipher) {
    throw invalid(`database ${name} was created with the cipher ${cipher}, which its branches have, too`);
  }
  return proven({ key: asked.key, cipher });
}

function proven(encryption: ClientEncryption): ClientEncryption {
  try {
    ClientKey.parse(encryption.key, encryption.cipher).wipe();
  } catch (error) {
    if (isByocError(error)) throw invalid(error.message);
    throw error;
  }
  return encryption;
}

function invalid(message: string): ControlPlaneError {
  return new ControlPlaneError('ENCRYPTION_INVALID', message);
}
