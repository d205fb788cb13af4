import type { Capability } from '../object-store/capability-probe.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { ObjectVersions } from '../object-store/object-versions.js';
import { openStore } from '../object-store/open-store.js';
import type { StoreLocation } from '../object-store/store-url.js';
import type { Runtime } from '../runtime.js';

/** The zones of a log in three buckets, in the order of the setting. */
export const zoneNames = ['log-1', 'log-2', 'log-3'] as const;

export type ZoneName = (typeof zoneNames)[number];

/** The stores of a deployment: its content, its commit log in one store or in three, what the control plane publishes. */
export type StoreName = 'data' | 'log' | 'control' | ZoneName;

export interface StoreLocations {
  readonly data: StoreLocation;
  /** One, or three: the zones. */
  readonly log: readonly StoreLocation[];
  readonly control: StoreLocation;
}

/** `versions`: of a store that keeps some of objects that were replaced. */
export type OpenedStore = ObjectStore & { readonly versions?: ObjectVersions };

export type OpenStore = (name: StoreName) => Promise<OpenedStore>;

/**
 * What a node needs of each store. Nothing in the log is ever replaced, so that a store without If-Match will do for it;
 * the control store is only read.
 */
const needs: Readonly<Record<'data' | 'log' | 'control', readonly Capability[]>> = {
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
    openStore(locationOf(locations, name), {
      runtime,
      needs: needs[name === 'data' || name === 'control' ? name : 'log'],
      report: (event, fields) => report(event, { store: name, ...fields }),
    });
}

export function locationOf(locations: StoreLocations, name: StoreName): StoreLocation {
  if (name === 'data' || name === 'control') return locations[name];
  const found = locations.log[name === 'log' ? 0 : zoneNames.indexOf(name)];
  if (!found) throw new Error(`there is no store ${name}`);
  return found;
}
