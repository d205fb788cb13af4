/**
 * A key that a client holds: it comes with every request and is never stored.
 *
 * Invariants. The key itself seals nothing. Two keys are derived from it by HKDF-SHA256, each for one purpose and bound to
 * one database: one wraps the database's random data keys, the other makes the check value, which is stored and by which a
 * wrong key is known before anything is opened. The key never becomes part of a message, and its bytes are overwritten by
 * whoever parsed it.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ByocError } from '../errors/catalogue.js';
import { ciphers, type CipherName } from './ciphers.js';
import { deriveKey } from './derive-key.js';
import type { EncryptionContext } from './key-service.js';
import { dataKeyBytes, encodeFields, unwrapDataKey, wrapDataKey, wrappingNonceBytes } from './wrapped-key.js';

/** What came with a request, unread. An empty text stands for nothing. */
export interface PresentedKey {
  /** `x-turso-encryption-key`. */
  readonly key?: string | undefined;
  /** `x-turso-encryption-cipher`. */
  readonly cipher?: string | undefined;
}

/** The one key of a check value, and of the derivation for it. */
export interface CheckedDatabase {
  readonly deployment: string;
  readonly database: string;
  readonly cipher: CipherName;
}

const version = 'turso-byoc/client-key/1';
/** Stands where a key of the key service has its id. */
const wrapperName = 'client';
const derivedBytes = 32;
const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export class ClientKey {
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /**
   * Reads a key as clients send it: standard base64 with padding, 16 or 32 bytes as `cipher` has it. The caller wipes it.
   * Throws `ENCRYPTION_KEY_MALFORMED`, `ENCRYPTION_KEY_LENGTH`; neither repeats what was sent.
   */
  static parse(text: string, cipher: CipherName): ClientKey {
    if (!base64Pattern.test(text)) {
      throw new ByocError('ENCRYPTION_KEY_MALFORMED', 'the encryption key is not standard base64');
    }
    const bytes = Buffer.from(text, 'base64');
    const { keyBytes } = ciphers[cipher];
    if (bytes.length !== keyBytes) {
      const { length } = bytes;
      bytes.fill(0);
      throw new ByocError(
        'ENCRYPTION_KEY_LENGTH',
        `the encryption key has ${length} bytes, ${cipher} takes ${keyBytes}`,
      );
    }
    return new ClientKey(bytes);
  }

  /** Wraps a 32-byte data key, which the caller wipes; `nonce`: `wrappingNonceBytes` random bytes. */
  wrap(context: EncryptionContext, dataKey: Buffer, nonce: Buffer): Buffer {
    return this.#withDerived(wrappingInfo(context), (key) => wrapDataKey(key, wrapperName, context, dataKey, nonce));
  }

  /** A data key, which the caller wipes. Throws `KeyMismatchError` when key, context and bytes do not belong together. */
  unwrap(context: EncryptionContext, wrapped: Uint8Array): Buffer {
    return this.#withDerived(wrappingInfo(context), (key) => unwrapDataKey(key, wrapperName, context, wrapped));
  }

  /** A fresh data key, wrapped; the plaintext is forgotten. */
  generate(context: EncryptionContext, randomBytes: (count: number) => Buffer): Buffer {
    const dataKey = randomBytes(dataKeyBytes);
    try {
      return this.wrap(context, dataKey, randomBytes(wrappingNonceBytes));
    } finally {
      dataKey.fill(0);
    }
  }

  /** What is stored to know this key again, hex. */
  checkValue(database: CheckedDatabase): string {
    return this.#check(database).toString('hex');
  }

  /** Whether this is the key that `checkValue` was made of, for this database and cipher; takes the same time for any key. */
  matches(database: CheckedDatabase, checkValue: string): boolean {
    const stored = Buffer.from(checkValue, 'hex');
    const own = this.#check(database);
    return stored.length === own.length && timingSafeEqual(stored, own);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #check({ deployment, database, cipher }: CheckedDatabase): Buffer {
    return this.#withDerived([version, 'check', deployment, database], (key) =>
      createHmac('sha256', key)
        .update(encodeFields([cipher]))
        .digest(),
    );
  }

  #withDerived<T>(info: readonly string[], use: (key: Buffer) => T): T {
    const key = deriveKey(this.#bytes, '', encodeFields(info), derivedBytes);
    try {
      return use(key);
    } finally {
      key.fill(0);
    }
  }
}

function wrappingInfo({ deployment, organization, group, database }: EncryptionContext): string[] {
  return [version, 'wrap', deployment, organization, group, database];
}

export function isNothing({ key = '', cipher = '' }: PresentedKey): boolean {
  return key === '' && cipher === '';
}
