/**
 * From the wrapped data keys of a manifest to a sealer, and from errors of the key service to the catalogue. A data key that
 * a client wraps needs the client's key; whoever calls has checked it (`client-key-admission.ts`).
 */
import { ByocError } from '../errors/catalogue.js';
import type { ClientKey } from '../keys/client-key.js';
import {
  KeyMismatchError,
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
} from '../keys/key-service.js';
import type { HeldKey, LostKey } from '../keys/key-watch.js';
import { Sealer } from '../keys/sealing.js';
import { wrappingNonceBytes } from '../keys/wrapped-key.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import {
  isServiceWrapped,
  type ClientWrappedKey,
  type Manifest,
  type ServiceWrappedKey,
  type WrappedDataKey,
} from '../storage/manifest.js';

/** A sealer and the plaintext keys it works with; `wipe` overwrites both. */
export interface UnlockedDatabase {
  readonly sealer: Sealer;
  /**
   * Goes on with the ring of a newer manifest of the same database: opens the data keys that have come to it, seals under
   * its current one from then on, and overwrites those that have left it. `client`: as for `unlock`. Throws the key errors;
   * then nothing has changed.
   */
  follow(manifest: Manifest, client?: ClientKey): Promise<void>;
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
  number = 1,
): Promise<ServiceWrappedKey> {
  assertKeyId(keys, keyId);
  const made = await translated(context.database, () => keys.generateWrappedDataKey(keyId, context));
  return { number, mode: 'kms', keyId: made.keyId, wrapped: made.wrapped.toString('base64'), context };
}

/** A data key for a database, wrapped by its client's key. */
export function newClientDataKey(
  runtime: Runtime,
  client: ClientKey,
  context: EncryptionContext,
  number = 1,
): ClientWrappedKey {
  const wrapped = client.generate(context, (count) => runtime.randomBytes(count)).toString('base64');
  return { number, mode: 'client', wrapped, context };
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
 * The data keys of a database and of its ancestors, wrapped once more for a branch of it, each as it is wrapped now; what
 * the key service wraps does not leave it in plaintext. Throws `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`.
 */
export async function keysForBranch(
  runtime: Runtime,
  keys: KeyService,
  client: ClientKey | undefined,
  parent: Manifest,
  context: EncryptionContext,
): Promise<WrappedDataKey[]> {
  return Promise.all(
    parent.keys.map(async (key): Promise<WrappedDataKey> => {
      assertOwnContext(parent, key);
      const { number, opens = parent.id } = key;
      if (isServiceWrapped(key)) {
        const from = { keyId: key.keyId, wrapped: Buffer.from(key.wrapped, 'base64'), context: key.context };
        const made = await translated(parent.id, () => keys.rewrap(from, { keyId: key.keyId, context }));
        return { number, mode: 'kms', keyId: made.keyId, wrapped: made.wrapped.toString('base64'), context, opens };
      }
      const dataKey = await unwrapByClient(client, parent, key);
      try {
        const wrapped = needed(client, parent).wrap(context, dataKey, runtime.randomBytes(wrappingNonceBytes));
        return { number, mode: 'client', wrapped: wrapped.toString('base64'), context, opens };
      } finally {
        dataKey.fill(0);
      }
    }),
  );
}

/**
 * The data keys of a manifest, each that the key service wraps wrapped by `keyId`; the same list when they all are already.
 * Throws `KEY_HELD_BY_CLIENT` when the key service wraps none, `KEY_ID_INVALID`, `KEY_REVOKED`, `KEY_WRONG`,
 * `KEY_UNAVAILABLE`.
 */
export async function rewrappedKeys(
  keys: KeyService,
  manifest: Manifest,
  keyId: string,
): Promise<readonly WrappedDataKey[]> {
  assertKeyId(keys, keyId);
  if (manifest.keys.length > 0 && !manifest.keys.some(isServiceWrapped)) {
    throw new ByocError(
      'KEY_HELD_BY_CLIENT',
      `the client of database ${manifest.id} holds the key that wraps its data key`,
    );
  }
  const rewrapped = await Promise.all(
    manifest.keys.map(async (key) => {
      assertOwnContext(manifest, key);
      if (!isServiceWrapped(key) || key.keyId === keyId) return key;
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

/**
 * The 32 bytes of one data key of a manifest, which the caller wipes; `client`: the client's key where that wraps it. Throws
 * `KEY_REVOKED`, `KEY_WRONG`, `KEY_UNAVAILABLE`, `ENCRYPTION_KEY_REQUIRED`.
 */
export async function openDataKey(
  keys: KeyService,
  manifest: Manifest,
  entry: WrappedDataKey,
  client?: ClientKey,
): Promise<Buffer> {
  assertOwnContext(manifest, entry);
  if (!isServiceWrapped(entry)) return unwrapByClient(client, manifest, entry);
  const { keyId, wrapped, context } = entry;
  return translated(manifest.id, () => keys.unwrap(keyId, Buffer.from(wrapped, 'base64'), context));
}

/**
 * `client`: the client's key where it wraps data keys; it may be wiped as soon as this resolves. Throws `KEY_REVOKED`,
 * `KEY_WRONG`, `KEY_UNAVAILABLE`.
 */
export async function unlock(
  runtime: Runtime,
  keys: KeyService,
  manifest: Manifest,
  client?: ClientKey,
): Promise<UnlockedDatabase> {
  const rings = new Map<DatabaseId, Map<number, Buffer>>();
  const wipeRings = (): void => {
    for (const ring of rings.values()) for (const key of ring.values()) key.fill(0);
  };
  const unwrapped = await Promise.allSettled(
    manifest.keys.map(async (entry) => {
      const { number, opens = manifest.id } = entry;
      const key = await openDataKey(keys, manifest, entry, client);
      rings.set(opens, (rings.get(opens) ?? new Map<number, Buffer>()).set(number, key));
    }),
  );
  const failed = unwrapped.find((one) => one.status === 'rejected');
  if (failed) {
    wipeRings();
    throw failed.reason;
  }
  const { deployment, id, currentKey } = manifest;
  const ancestors = (manifest.ancestors ?? []).map((database) => {
    const ring = rings.get(database);
    return { database, sealer: ring && new Sealer(runtime, deployment, database, { current: 0, keys: ring }) };
  });
  const ring = { current: currentKey, keys: rings.get(id) ?? new Map<number, Buffer>() };
  const sealer = new Sealer(runtime, deployment, id, ring, ancestors);
  let isWiped = false;
  return {
    sealer,
    follow: async (newer, client) => {
      const own = newer.keys.filter(({ opens }) => opens === undefined);
      const opened = await openedAll(keys, newer, client, (number) => !ring.keys.has(number));
      for (const [number, key] of opened) {
        // Whoever gave the database up meanwhile has overwritten the rest; or it was followed twice at once.
        if (isWiped || ring.keys.has(number)) key.fill(0);
        else ring.keys.set(number, key);
      }
      if (isWiped) return;
      ring.current = newer.currentKey;
      for (const [number, key] of ring.keys) {
        if (own.some((one) => one.number === number)) continue;
        sealer.forget(number);
        key.fill(0);
        ring.keys.delete(number);
      }
    },
    wipe: () => {
      isWiped = true;
      sealer.wipe();
      wipeRings();
    },
  };
}

/** The database's own data keys that are wanted, by their number. When one cannot be opened none is left in memory. */
async function openedAll(
  keys: KeyService,
  manifest: Manifest,
  client: ClientKey | undefined,
  isWanted: (number: number) => boolean,
): Promise<Map<number, Buffer>> {
  const opened = new Map<number, Buffer>();
  const wanted = manifest.keys.filter(({ number, opens }) => opens === undefined && isWanted(number));
  const results = await Promise.allSettled(
    wanted.map(async (entry) => opened.set(entry.number, await openDataKey(keys, manifest, entry, client))),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (!failed) return opened;
  for (const key of opened.values()) key.fill(0);
  throw failed.reason;
}

/** The same data key, wrapped by a key of the key service. Throws `KEY_ID_INVALID`, `KEY_REVOKED`, `KEY_UNAVAILABLE`. */
export async function wrapByService(
  keys: KeyService,
  manifest: Manifest,
  keyId: string,
  { number, context, opens }: WrappedDataKey,
  dataKey: Buffer,
): Promise<ServiceWrappedKey> {
  assertKeyId(keys, keyId);
  const made = await translated(manifest.id, () => keys.wrap(keyId, dataKey, context));
  const wrapped = made.wrapped.toString('base64');
  return { number, mode: 'kms', keyId: made.keyId, wrapped, context, ...(opens && { opens }) };
}

/** The same data key, wrapped by a key that a client holds. */
export function wrapByClient(
  runtime: Runtime,
  client: ClientKey,
  { number, context, opens }: WrappedDataKey,
  dataKey: Buffer,
): ClientWrappedKey {
  const wrapped = client.wrap(context, dataKey, runtime.randomBytes(wrappingNonceBytes)).toString('base64');
  return { number, mode: 'client', wrapped, context, ...(opens && { opens }) };
}

/** What a holder of the database's data keys depends on at the key service, the current one first. */
export function heldKeys(manifest: Manifest): HeldKey[] {
  const current = currentKeyOf(manifest);
  return [current, ...manifest.keys.filter((key) => key !== current)]
    .filter(isServiceWrapped)
    .map(({ keyId, wrapped, context }) => ({ keyId, wrapped: Buffer.from(wrapped, 'base64'), context }));
}

/** Throws `KEY_WRONG` when what the client's right key wraps was altered or exchanged. */
async function unwrapByClient(
  client: ClientKey | undefined,
  manifest: Manifest,
  { wrapped, context }: ClientWrappedKey,
): Promise<Buffer> {
  return translated(manifest.id, async () => needed(client, manifest).unwrap(context, Buffer.from(wrapped, 'base64')));
}

function needed(client: ClientKey | undefined, { id }: Manifest): ClientKey {
  if (client) return client;
  throw new ByocError('ENCRYPTION_KEY_REQUIRED', `database ${id} is encrypted with a key that its client holds`);
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
