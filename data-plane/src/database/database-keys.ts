/** From the wrapped data keys of a manifest to a sealer, and from errors of the key service to the catalogue. */
import { ByocError } from '../errors/catalogue.js';
import {
  KeyMismatchError,
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
} from '../keys/key-service.js';
import type { HeldKey, LostKey } from '../keys/key-watch.js';
import { Sealer } from '../keys/sealing.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import type { Manifest, WrappedDataKey } from '../storage/manifest.js';

/** A sealer and the plaintext keys it works with; `wipe` overwrites both. */
export interface UnlockedDatabase {
  readonly sealer: Sealer;
  wipe(): void;
}

/**
 * A data key for a new database, wrapped by the key `keyId` or by the default one. Throws `KEY_ID_INVALID`, `KEY_REVOKED`,
 * `KEY_UNAVAILABLE`.
 */
export async function newDataKey(
  keys: KeyService,
  context: EncryptionContext,
  keyId = keys.defaultKeyId,
): Promise<WrappedDataKey> {
  assertKeyId(keys, keyId);
  const made = await translated(context.database, () => keys.generateWrappedDataKey(keyId, context));
  return { number: 1, keyId: made.keyId, wrapped: made.wrapped.toString('base64'), context };
}

function assertKeyId(keys: KeyService, keyId: string): void {
  const defect = keys.keyIdDefect(keyId);
  if (defect === undefined) return;
  throw new ByocError('KEY_ID_INVALID', `${JSON.stringify(keyId)} cannot be a key of the key service: ${defect}`);
}

/** What new objects of the database are sealed under. */
export function currentKeyOf(manifest: Pick<Manifest, 'id' | 'keys' | 'currentKey'>): WrappedDataKey {
  const key = manifest.keys.find(({ number, opens }) => opens === undefined && number === manifest.currentKey);
  if (key) return key;
  throw new ByocError('STORE_OBJECT_CORRUPT', `the manifest of database ${manifest.id} lacks its current data key`);
}

/**
 * The data keys of a database and of its ancestors, wrapped once more for a branch of it; the plaintext does not leave
 * the key service. Throws `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`.
 */
export async function keysForBranch(
  keys: KeyService,
  parent: Manifest,
  context: EncryptionContext,
): Promise<WrappedDataKey[]> {
  return Promise.all(
    parent.keys.map(async (key) => {
      assertOwnContext(parent, key);
      const from = { keyId: key.keyId, wrapped: Buffer.from(key.wrapped, 'base64'), context: key.context };
      const made = await translated(parent.id, () => keys.rewrap(from, { keyId: key.keyId, context }));
      const { number, opens = parent.id } = key;
      return { number, keyId: made.keyId, wrapped: made.wrapped.toString('base64'), context, opens };
    }),
  );
}

/**
 * The data keys of a manifest, each wrapped by `keyId`; the same list when they all are already. Throws `KEY_ID_INVALID`,
 * `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`.
 */
export async function rewrappedKeys(
  keys: KeyService,
  manifest: Manifest,
  keyId: string,
): Promise<readonly WrappedDataKey[]> {
  assertKeyId(keys, keyId);
  const rewrapped = await Promise.all(
    manifest.keys.map(async (key) => {
      assertOwnContext(manifest, key);
      if (key.keyId === keyId) return key;
      const { context } = key;
      const from = { keyId: key.keyId, wrapped: Buffer.from(key.wrapped, 'base64'), context };
      const made = await translated(manifest.id, () => keys.rewrap(from, { keyId, context }));
      // An alias of the key that it is wrapped by.
      if (made.keyId === key.keyId) return key;
      return { ...key, keyId: made.keyId, wrapped: made.wrapped.toString('base64') };
    }),
  );
  return rewrapped.every((key, index) => key === manifest.keys[index]) ? manifest.keys : rewrapped;
}

/** Throws `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`. */
export async function unlock(runtime: Runtime, keys: KeyService, manifest: Manifest): Promise<UnlockedDatabase> {
  const rings = new Map<DatabaseId, Map<number, Buffer>>();
  await Promise.all(
    manifest.keys.map(async (entry) => {
      assertOwnContext(manifest, entry);
      const { number, keyId, wrapped, context, opens = manifest.id } = entry;
      const key = await translated(manifest.id, () => keys.unwrap(keyId, Buffer.from(wrapped, 'base64'), context));
      rings.set(opens, (rings.get(opens) ?? new Map<number, Buffer>()).set(number, key));
    }),
  );
  const { deployment, id, currentKey } = manifest;
  const ancestors = (manifest.ancestors ?? []).map((database) => {
    const ring = rings.get(database);
    return { database, sealer: ring && new Sealer(runtime, deployment, database, { current: 0, keys: ring }) };
  });
  const ring = { current: currentKey, keys: rings.get(id) ?? new Map<number, Buffer>() };
  const sealer = new Sealer(runtime, deployment, id, ring, ancestors);
  return {
    sealer,
    wipe: () => {
      sealer.wipe();
      for (const ring of rings.values()) for (const key of ring.values()) key.fill(0);
    },
  };
}

/** What a holder of the database's data keys depends on, the current one first. */
export function heldKeys(manifest: Manifest): HeldKey[] {
  const current = currentKeyOf(manifest);
  return [current, ...manifest.keys.filter((key) => key !== current)].map(({ keyId, wrapped, context }) => {
    return { keyId, wrapped: Buffer.from(wrapped, 'base64'), context };
  });
}

/**
 * The key service proves that a key was wrapped for its context; that the context is this database's is ours to check, or
 * another database's whole key ring could be copied into this manifest.
 */
function assertOwnContext(manifest: Manifest, { number, context }: WrappedDataKey): void {
  if (context.database === manifest.id && context.deployment === manifest.deployment) return;
  throw new ByocError(
    'KEY_WRONG',
    `data key ${number} in the manifest of database ${manifest.id} belongs to another one`,
  );
}

async function translated<T>(database: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (isLostKey(cause)) throw keyError(database, cause);
    throw cause;
  }
}

function isLostKey(error: unknown): error is LostKey {
  return (
    error instanceof KeyRefusedError || error instanceof KeyMismatchError || error instanceof KeyServiceUnavailableError
  );
}

/** What a client is told. Neither the key nor the account that it is in: they are in the log. */
export function keyError(database: string, cause: LostKey): ByocError {
  if (cause instanceof KeyRefusedError) {
    const sentence = `the key service refuses the key of database ${database} (${cause.reason})`;
    return new ByocError('KEY_REVOKED', sentence, { cause });
  }
  if (cause instanceof KeyMismatchError) {
    const sentence = `the data key of database ${database} was not wrapped for it, or was altered`;
    return new ByocError('KEY_WRONG', sentence, { cause });
  }
  return new ByocError('KEY_UNAVAILABLE', 'the key service does not answer', { cause });
}
