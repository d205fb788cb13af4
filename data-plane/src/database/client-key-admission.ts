/**
 * Whether a request brings the key that its database asks for. Looked at for every request, before anything of the database
 * is opened, claimed or run: a wrong key changes nothing and learns nothing but that it is wrong.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { ByocError, isByocError, type ErrorCode } from '../errors/catalogue.js';
import { ClientKey, isNothing, type PresentedKey } from '../keys/client-key.js';
import { encodeFields } from '../keys/wrapped-key.js';
import type { Runtime } from '../runtime.js';
import type { DatabaseEncryption, Manifest } from '../storage/manifest.js';

const refusals: readonly ErrorCode[] = [
  'ENCRYPTION_KEY_REQUIRED',
  'ENCRYPTION_KEY_MALFORMED',
  'ENCRYPTION_KEY_LENGTH',
  'ENCRYPTION_KEY_WRONG',
  'ENCRYPTION_KEY_UNEXPECTED',
  'ENCRYPTION_CIPHER_MISMATCH',
];

/** Whether an error says that a request brought a wrong key, or none: what it says is true of that request only. */
export function isKeyRefusal(error: unknown): error is ByocError {
  return isByocError(error, ...refusals);
}

export function isSamePresented(one: PresentedKey = {}, other: PresentedKey = {}): boolean {
  return (one.key ?? '') === (other.key ?? '') && (one.cipher ?? '') === (other.cipher ?? '');
}

/**
 * The client's key, which the caller wipes; undefined for a database whose keys the key service wraps. Throws
 * `ENCRYPTION_KEY_REQUIRED`, `ENCRYPTION_KEY_MALFORMED`, `ENCRYPTION_KEY_LENGTH`, `ENCRYPTION_KEY_WRONG`,
 * `ENCRYPTION_KEY_UNEXPECTED`, `ENCRYPTION_CIPHER_MISMATCH`.
 */
export function admittedKey(
  { encryption, deployment, id }: Pick<Manifest, 'encryption' | 'deployment' | 'id'>,
  presented: PresentedKey = {},
): ClientKey | undefined {
  if (encryption.mode === 'kms') {
    if (isNothing(presented)) return undefined;
    throw new ByocError(
      'ENCRYPTION_KEY_UNEXPECTED',
      `database ${id} is not encrypted with a key that its client holds`,
    );
  }
  const { cipher, check } = encryption;
  if (!presented.key) {
    throw new ByocError('ENCRYPTION_KEY_REQUIRED', `database ${id} is encrypted with a key that its client holds`);
  }
  if (presented.cipher && presented.cipher !== cipher) {
    throw new ByocError('ENCRYPTION_CIPHER_MISMATCH', `database ${id} was created with cipher ${cipher}`);
  }
  const client = ClientKey.parse(presented.key, cipher);
  if (client.matches({ deployment, database: id, cipher }, check)) return client;
  client.wipe();
  throw new ByocError('ENCRYPTION_KEY_WRONG', `this is not the encryption key of database ${id}`);
}

/** Throws as `admittedKey` does. */
export function assertAdmitted(
  manifest: Pick<Manifest, 'encryption' | 'deployment' | 'id'>,
  presented: PresentedKey | undefined,
): void {
  admittedKey(manifest, presented)?.wipe();
}

/**
 * Admits the requests of one open database. Deriving from the key takes some ten microseconds, and a client sends the same key
 * with every request: so what was found right is remembered, as a digest under a random key that only this process has ever had.
 */
export class Admission {
  readonly #runtime: Pick<Runtime, 'randomBytes'>;
  #digestKey: Buffer | undefined;
  #admitted: Buffer | undefined;

  constructor(runtime: Pick<Runtime, 'randomBytes'>) {
    this.#runtime = runtime;
  }

  /** Throws as `admittedKey` does. */
  assert(manifest: Pick<Manifest, 'encryption' | 'deployment' | 'id'>, presented: PresentedKey | undefined): void {
    const { encryption } = manifest;
    if (encryption.mode === 'kms' || !presented?.key) {
      assertAdmitted(manifest, presented);
      return;
    }
    const { key, cipher = '' } = presented;
    this.#digestKey ??= this.#runtime.randomBytes(32);
    const digest = createHmac('sha256', this.#digestKey)
      .update(encodeFields([key, cipher, encryption.cipher, encryption.check]))
      .digest();
    if (this.#admitted && timingSafeEqual(this.#admitted, digest)) return;
    assertAdmitted(manifest, presented);
    this.#admitted = digest;
  }
}

/** What a new database keeps of its client's key. */
export function clientEncryption(
  client: ClientKey,
  database: { readonly deployment: string; readonly database: string },
  cipher: Extract<DatabaseEncryption, { mode: 'client' }>['cipher'],
): DatabaseEncryption {
  return { mode: 'client', cipher, check: client.checkValue({ ...database, cipher }) };
}
