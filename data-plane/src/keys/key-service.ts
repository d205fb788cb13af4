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

/** A data key as it is stored. */
export interface WrappedByKey {
  /** The key that wraps it, by the name that means this key for ever: an alias is resolved. */
  readonly keyId: string;
  readonly wrapped: Buffer;
}

export interface KeyService {
  /** The key that is used when a database names none. */
  readonly defaultKeyId: string;
  /** Why no key can have this id here, or undefined; asks nobody. */
  keyIdDefect(keyId: string): string | undefined;
  /**
   * A fresh random 256-bit data key, wrapped by `keyId`; the plaintext does not leave the key service. Throws as `unwrap`
   * does.
   */
  generateWrappedDataKey(keyId: string, context: EncryptionContext): Promise<WrappedByKey>;
  /**
   * The 32 bytes of a data key, which the caller wipes. Throws `KeyRefusedError` (disabled, denied, scheduled for deletion,
   * unknown key), `KeyMismatchError` (wrong context or altered bytes), `KeyServiceUnavailableError`.
   */
  unwrap(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<Buffer>;
  /** Finds out whether `unwrap` would give a data key, without giving it. Throws as `unwrap` does. */
  probe(keyId: string, wrapped: Uint8Array, context: EncryptionContext): Promise<void>;
  /**
   * Wraps a data key that was wrapped by nobody the service knows: one of a database whose client gives its own key up. Throws
   * `KeyRefusedError`, `KeyServiceUnavailableError`.
   */
  wrap(keyId: string, dataKey: Buffer, context: EncryptionContext): Promise<WrappedByKey>;
  /** Wraps the same data key under another key; the plaintext does not leave the key service. Throws as `unwrap` does. */
  rewrap(
    from: { keyId: string; wrapped: Uint8Array; context: EncryptionContext },
    to: { keyId: string; context: EncryptionContext },
  ): Promise<WrappedByKey>;
}

/** What a key service has done for a database, or refused: the evidence of who used which key when. Never key material. */
export interface KeyUse {
  readonly operation: 'generate' | 'wrap' | 'unwrap' | 'probe' | 'rewrap';
  /** As the caller named it; of a rewrap the key that wraps from now on. */
  readonly keyId: string;
  readonly database: string;
  readonly outcome: 'done' | 'refused' | 'mismatch' | 'unavailable';
  readonly durationMs: number;
  /** The name of the request in the audit log of the key service, where it has one. */
  readonly requestId?: string;
}

export type OnKeyUse = (use: KeyUse) => void;

/** Why a key service refuses a key. Only `denied` may be true for one encryption context and not for another. */
export type RefusalReason = 'disabled' | 'pending-deletion' | 'denied' | 'unknown' | 'unusable';

/** The key service will not use this key: disabled, denied, scheduled for deletion or unknown. */
export class KeyRefusedError extends Error {
  override readonly name = 'KeyRefusedError';

  constructor(
    message: string,
    readonly reason: RefusalReason,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** The wrapped key does not belong to this key and context, or was altered. */
export class KeyMismatchError extends Error {
  override readonly name = 'KeyMismatchError';
}

/** The key service did not answer; nothing is known about the key. */
export class KeyServiceUnavailableError extends Error {
  override readonly name = 'KeyServiceUnavailableError';
}
