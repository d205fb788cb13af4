/** From the wrapped data keys of a manifest to a sealer, and from errors of the key service to the catalogue. */
import { ByocError } from '../errors/catalogue.js';
import {
  KeyMismatchError,
  KeyRefusedError,
  KeyServiceUnavailableError,
  type EncryptionContext,
  type KeyService,
} from '../keys/key-service.js';
import { Sealer } from '../keys/sealing.js';
import type { Runtime } from '../runtime.js';
import type { Manifest, WrappedDataKey } from '../storage/manifest.js';

/** A sealer and the plaintext keys it works with; `wipe` overwrites both. */
export interface UnlockedDatabase {
  readonly sealer: Sealer;
  wipe(): void;
}

export async function newDataKey(keys: KeyService, context: EncryptionContext): Promise<WrappedDataKey> {
  const keyId = keys.defaultKeyId;
  const wrapped = await translated(context.database, () => keys.generateWrappedDataKey(keyId, context));
  return { number: 1, keyId, wrapped: wrapped.toString('base64'), context };
}

/** Throws `KEY_DISABLED`, `KEY_WRONG`, `KEY_UNAVAILABLE`. */
export async function unlock(runtime: Runtime, keys: KeyService, manifest: Manifest): Promise<UnlockedDatabase> {
  const unwrapped = await Promise.all(
    manifest.keys.map(async ({ number, keyId, wrapped, context }) => {
      // The key service proves that the key was wrapped for this context; that the context is this database's is ours to
      // check, or another database's whole key ring could be copied into this manifest.
      if (context.database !== manifest.id || context.deployment !== manifest.deployment) {
        throw new ByocError(
          'KEY_WRONG',
          `data key ${number} in the manifest of database ${manifest.id} belongs to another one`,
        );
      }
      const key = await translated(manifest.id, () => keys.unwrap(keyId, Buffer.from(wrapped, 'base64'), context));
      return [number, key] as const;
    }),
  );
  const ring = new Map(unwrapped);
  const sealer = new Sealer(runtime, manifest.deployment, manifest.id, { current: manifest.currentKey, keys: ring });
  return {
    sealer,
    wipe: () => {
      sealer.wipe();
      for (const key of ring.values()) key.fill(0);
    },
  };
}

async function translated<T>(database: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof KeyRefusedError) {
      throw new ByocError('KEY_DISABLED', `the key service refuses the key of database ${database}`, { cause });
    }
    if (cause instanceof KeyMismatchError) {
      throw new ByocError('KEY_WRONG', `the data key of database ${database} was not wrapped for it, or was altered`, {
        cause,
      });
    }
    if (cause instanceof KeyServiceUnavailableError) {
      throw new ByocError('KEY_UNAVAILABLE', 'the key service does not answer', { cause });
    }
    throw cause;
  }
}
