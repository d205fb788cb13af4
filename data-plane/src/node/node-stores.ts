import type { Capability } from '../object-store/capability-probe.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { openStore } from '../object-store/open-store.js';
import type { StoreLocation } from '../object-store/store-url.js';
import type { Runtime } from '../runtime.js';

/** The stores of a deployment: its content, its commit log, what the control plane publishes. */
export const storeNames = ['data', 'log', 'control'] as const;

export type StoreName = (typeof storeNames)[number];

export type StoreLocations = Readonly<Record<StoreName, StoreLocation>>;

export type OpenStore = (name: StoreName) => Promise<ObjectStore>;

/**
 * What a node needs of each store. Nothing in the log is ever replaced, so that a store without If-Match will do for it;
 * the control store is only read.
 */
const needs: Readonly<Record<StoreName, readonly Capability[]>> = {
  data: ['readAfterWrite', 'rangeRead', 'createIfAbsent', 'replaceIfUnchanged', 'orderedList', 'delete'],
  log: ['readAfterWrite', 'rangeRead', 'createIfAbsent', 'orderedList', 'delete'],
  control: [],
};

/** Opens the stores that the settings name; see `openStore` for what is tried and what it throws. */
export function configuredStores(
  locations: StoreLocations,
  runtime: Runtime,
  report: (event: string, fields: Readonly<Record<string, unknown>>) => void,
): OpenStore {
  return async (name) =>
    openStore(locations[name], {
      runtime,
      needs: needs[name],
      report: (event, fields) => report(event, { store: name, ...fields }),
    });
}
