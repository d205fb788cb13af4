import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocalObjectStore } from '../object-store/local-object-store.js';
import type { ObjectStore } from '../object-store/object-store.js';

/** The stores of a deployment: its content, its commit log, what the control plane publishes. */
export type StoreName = 'data' | 'log' | 'control';

export type OpenStore = (name: StoreName) => Promise<ObjectStore>;

/** The stores as directories of one directory, created when they are not there. */
export function localStores(directory: string): OpenStore {
  return async (name) => {
    const path = join(directory, name);
    await mkdir(path, { recursive: true, mode: 0o700 });
    return LocalObjectStore.open(path);
  };
}
