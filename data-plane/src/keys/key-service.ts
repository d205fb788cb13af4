/**
 * The key service wraps and unwraps data keys. AWS KMS implements it, and a local one with the same key states; it is
 * one of the two seams of the system that may be replaced as a whole.
 */

/** Bound to every wrapped key: unwrapping under another context fails. Same names as the KMS encryption context. */
export interface EncryptionContext {
  readonly deployment: string;
  readonly organization: string;
  readonly group: string;
  readonly database: string;
}

export type KeyState = 'enabled' | 'disabled' | 'pending-deletion';

export interface KeyService {
  /** The key that is used when a database names none. */
  readonly defaultKeyId: string;
  /** A fresh random 256-bit data key, wrapped by `keyId`; the plaintext does not leave the key service. */
  generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<Buffer>;
  /**
   * The 32 bytes of a data key. Throws `KeyRefusedError` (disabled, denied, scheduled for deletion, unknown key),
   * `KeyMismatchError` (wrong context or altered bytes), `KeyServiceUnavailableError`.
   */
  unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer>;
  /** Wraps the same data key under another key; the plaintext does not leave the key service. */
  rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<Buffer>;
}

/** The key service will not use this key: disabled, denied, scheduled for deletion or unknown. */
export class KeyRefusedError extends Error {
  override readonly name = 'KeyRefusedError';
}

/** The wrapped key does not belong to this context or was altered. */
export class KeyMismatchError extends Error {
  override readonly name = 'KeyMismatchError';
}

/** The key service did not answer; nothing is known about the key. */
export class KeyServiceUnavailableError extends Error {
  override readonly name = 'KeyServiceUnavailableError';
}
