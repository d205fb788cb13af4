/**
 * A data key wrapped by a local key, or by one that is derived from a client's: AES-256-GCM with a random nonce. The associated data binds the wrapping key's id and
 * the encryption context, so a wrapped key opens nowhere else.
 *
 * Layout: version (1 byte, 1), nonce (12), ciphertext (32), tag (16). Random nonces are good for 2^32 wraps under one key,
 * far more databases than a local deployment makes.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { KeyMismatchError, type EncryptionContext } from './key-service.js';

const version = 1;
const algorithm = 'aes-256-gcm';
export const wrappingNonceBytes = 12;
const tagBytes = 16;
export const dataKeyBytes = 32;
export const wrappedKeyBytes = 1 + wrappingNonceBytes + dataKeyBytes + tagBytes;

export function encodeAssociatedData(keyId: string, context: EncryptionContext): Buffer {
  return encodeFields([
    `turso-byoc/wrapped-key/${version}`,
    keyId,
    context.deployment,
    context.organization,
    context.group,
    context.database,
  ]);
}

/**
 * Every field with its length before it, so that no two lists have the same encoding. UTF-16, because it represents every
 * string exactly, also one that is not well-formed Unicode.
 */
export function encodeFields(fields: readonly string[]): Buffer {
  return Buffer.concat(
    fields.flatMap((field) => {
      const bytes = Buffer.from(field, 'utf16le');
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** Wraps a 32-byte data key. The caller wipes `dataKey` and `material`. */
export function wrapDataKey(
  material: Buffer,
  keyId: string,
  context: EncryptionContext,
  dataKey: Buffer,
  nonce: Buffer = randomBytes(wrappingNonceBytes),
): Buffer {
  if (dataKey.length !== dataKeyBytes) throw new RangeError(`a data key of ${dataKey.length} bytes`);
  const cipher = createCipheriv(algorithm, material, nonce, { authTagLength: tagBytes });
  cipher.setAAD(encodeAssociatedData(keyId, context));
  const ciphertext = Buffer.concat([cipher.update(dataKey), cipher.final()]);
  return Buffer.concat([Buffer.of(version), nonce, ciphertext, cipher.getAuthTag()]);
}

/** The data key, which the caller wipes. Throws `KeyMismatchError` when the bytes, the key or the context do not fit. */
export function unwrapDataKey(
  material: Buffer,
  keyId: string,
  context: EncryptionContext,
  wrapped: Uint8Array,
): Buffer {
  if (wrapped.length !== wrappedKeyBytes) throw new KeyMismatchError(`a wrapped key of ${wrapped.length} bytes`);
  if (wrapped[0] !== version) throw new KeyMismatchError(`a wrapped key of unknown version ${wrapped[0] ?? 0}`);
  const nonce = wrapped.subarray(1, 1 + wrappingNonceBytes);
  const ciphertext = wrapped.subarray(1 + wrappingNonceBytes, -tagBytes);
  const decipher = createDecipheriv(algorithm, material, nonce, { authTagLength: tagBytes });
  decipher.setAAD(encodeAssociatedData(keyId, context));
  decipher.setAuthTag(wrapped.subarray(-tagBytes));
  const dataKey = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch (error) {
    dataKey.fill(0);
    throw new KeyMismatchError('the wrapped key does not belong to this key and context, or it was altered', {
      cause: error,
    });
  }
  return dataKey;
}
