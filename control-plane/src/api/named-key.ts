import { ControlPlaneError } from '../errors/catalogue.js';
import { isUnasked } from './unasked.js';

/** The data plane takes no longer ids; it says which of them name a key. */
const maxKeyIdLength = 512;

/**
 * Reads `remote_encryption` of a creation: `{"kms_key_arn": …}` names the key of the key service that is to wrap the data
 * key. Undefined when nothing is asked. Throws `OPTION_NOT_OFFERED` for other ways to encrypt, `MALFORMED_REQUEST`.
 */
export function parseNamedKey(remoteEncryption: unknown): string | undefined {
  if (isUnasked(remoteEncryption)) return undefined;
  if (typeof remoteEncryption !== 'object' || remoteEncryption === null || Array.isArray(remoteEncryption)) {
    throw new ControlPlaneError('MALFORMED_REQUEST', '"remote_encryption" must be an object');
  }
  const { kms_key_arn: keyId, ...others } = remoteEncryption as Record<string, unknown>;
  for (const [name, value] of Object.entries(others)) {
    if (isUnasked(value)) continue;
    throw new ControlPlaneError('OPTION_NOT_OFFERED', `"${name}" of "remote_encryption" is not offered yet`);
  }
  if (isUnasked(keyId)) return undefined;
  if (typeof keyId === 'string' && keyId.length <= maxKeyIdLength) return keyId;
  throw new ControlPlaneError('MALFORMED_REQUEST', `"kms_key_arn" must be at most ${maxKeyIdLength} characters`);
}
