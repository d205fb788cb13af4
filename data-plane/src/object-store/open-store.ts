import { mkdir } from 'node:fs/promises';
import type { Runtime } from '../runtime.js';
import { assertCapable, probeCapabilities, type Capability } from './capability-probe.js';
import { isSystemError } from './file-layer.js';
import { LocalObjectStore } from './local-object-store.js';
import { StoreUnavailableError, type ObjectStore } from './object-store.js';
import { misconfiguration } from './s3/s3-misconfiguration.js';
import { describeStore, type StoreLocation } from './store-url.js';

export interface OpenStoreOptions {
  readonly runtime: Runtime;
  /** What the store must be able to do; empty for one that is only read. */
  readonly needs: readonly Capability[];
  /** Told of what went wrong with a store and harms nobody. */
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Connects to a store without trying anything. Throws `STORE_MISCONFIGURED`, `StoreUnavailableError`. */
export async function connectStore(
  location: StoreLocation,
  { runtime, report }: Pick<OpenStoreOptions, 'runtime' | 'report'>,
): Promise<ObjectStore> {
  if (location.kind === 's3') {
    // Loaded only where it is used: the SDK takes longer to load than all the rest of a node.
    const { S3ObjectStore } = await import('./s3/s3-object-store.js');
    return new S3ObjectStore(location.options, runtime, report);
  }
  try {
    await mkdir(location.directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new StoreUnavailableError(`cannot make ${location.directory}: ${error.message}`, { cause: error });
  }
  return LocalObjectStore.open(location.directory);
}

/**
 * Opens a store that can be used: one in a bucket is reached, and tried for everything that is needed of it. A local one
 * is created when it is not there.
 *
 * Throws `STORE_INCAPABLE`, and for a bucket that cannot be used as it is configured `STORE_BUCKET_MISSING`,
 * `STORE_REGION_WRONG`, `STORE_ENDPOINT_WRONG`, `STORE_CREDENTIALS_MISSING`, `STORE_ACCESS_DENIED` or
 * `STORE_MISCONFIGURED`; `StoreUnavailableError` when the store is in trouble that may pass.
 */
export async function openStore(location: StoreLocation, options: OpenStoreOptions): Promise<ObjectStore> {
  const store = await connectStore(location, options);
  if (location.kind === 'file') return store;
  const where = describeStore(location);
  await explaining(where, async () => {
    if (options.needs.length === 0) await store.get('absent');
    else assertCapable(where, await probeCapabilities(options.runtime, store), options.needs);
  });
  return store;
}

/** Runs a store's first requests; an error that its configuration explains becomes an error of the catalogue. */
export async function explaining<T>(where: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error;
    throw misconfiguration(where, error) ?? error;
  }
}
