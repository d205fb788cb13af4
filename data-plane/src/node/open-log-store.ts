/**
 * Opens the place where logs live, in one bucket or in three zones, and finds out which deployment it belongs to.
 *
 * A zone that cannot be opened does not keep a node from starting: its requests fail like those to a zone that is away, and
 * it is tried again until it can be used. One that is there and must not be used, stops the start.
 */
import { ByocError } from '../errors/catalogue.js';
import { LateStore } from '../object-store/late-store.js';
import { StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import { placeOf } from '../object-store/store-url.js';
import type { Runtime } from '../runtime.js';
import { deploymentOf } from '../storage/deployment.js';
import type { LogStore } from '../storage/log-store/log-store.js';
import { LogZone, type ZoneEvent } from '../storage/log-store/log-zone.js';
import { QuorumLogStore } from '../storage/log-store/quorum-log-store.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { admitZone, deploymentOfZones, type ZonePlace } from '../storage/zone-deployment.js';
import { locationOf, zoneNames, type OpenStore, type StoreLocations, type ZoneName } from './node-stores.js';

export interface OpenedLog {
  readonly logStore: LogStore;
  readonly deployment: string;
  /** Names of the zones, and whether each fails at present; empty for a log in one bucket. */
  readonly failingZones: () => ReadonlyMap<string, boolean>;
  /** Ends what goes on in the background. */
  close(): void;
}

export interface OpenLogOptions {
  readonly runtime: Runtime;
  readonly locations: StoreLocations;
  readonly openStore: OpenStore;
  readonly dataStore: ObjectStore;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly onZoneEvent: (zone: string, event: ZoneEvent) => void;
}

const reopenMs = 5_000;

/**
 * Throws what `openStore` throws for a log in one bucket. For three zones `STORE_MISCONFIGURED` or `STORE_INCAPABLE` when one
 * must not be used, and `STORE_UNAVAILABLE` when too few can be.
 */
export async function openLogStore(options: OpenLogOptions): Promise<OpenedLog> {
  const { runtime, locations, openStore, dataStore } = options;
  if (locations.log.length > 1) return openZones(options);
  const objects = await openStore('log');
  return {
    logStore: new SingleLogStore(runtime, objects),
    deployment: await deploymentOf(runtime, dataStore, objects),
    failingZones: () => new Map(),
    close: () => undefined,
  };
}

interface Zone {
  readonly name: ZoneName;
  readonly place: string;
  readonly store: LateStore;
}

async function openZones(options: OpenLogOptions): Promise<OpenedLog> {
  const { runtime, locations, openStore, dataStore, report, onZoneEvent } = options;
  const zones = zoneNames.map((name): Zone => {
    const place = placeOf(locationOf(locations, name));
    return { name, place, store: new LateStore(place) };
  });
  const opened = await Promise.all(
    zones.map(async ({ name, place }): Promise<ZonePlace | { why: string }> => {
      try {
        return { name, place, store: await openStore(name) };
      } catch (error) {
        return { why: `${name} (${place}): ${reasonToGoOnWithout(error)}` };
      }
    }),
  );
  const there = opened.filter((zone) => 'store' in zone);
  const missing = opened.flatMap((zone) => ('why' in zone ? [zone.why] : []));
  const deployment = await deploymentOfZones(runtime, dataStore, there, missing);

  let isClosed = false;
  const admit = async (zone: Zone): Promise<void> => {
    const store = there.find(({ name }) => name === zone.name)?.store ?? (await openStore(zone.name));
    await admitZone(runtime, dataStore, deployment, { ...zone, store });
    zone.store.open(store);
  };
  const admitLate = async (zone: Zone): Promise<void> => {
    let lastWhy = '';
    while (!isClosed) {
      try {
        await admit(zone);
        report('log zone in use', { zone: zone.name, place: zone.place });
        return;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (why !== lastWhy) report('log zone cannot be used', { zone: zone.name, place: zone.place, why });
        lastWhy = why;
      }
      await runtime.sleep(reopenMs);
    }
  };
  await Promise.all(
    zones.map(async (zone) => {
      if (there.some(({ name }) => name === zone.name)) {
        await admit(zone).catch((error: unknown) => {
          // Reported below, where it is tried again.
          reasonToGoOnWithout(error);
        });
      }
      if (!zone.store.isOpen) void admitLate(zone);
    }),
  );

  const logZones = zones.map(({ name, store }) => new LogZone(name, store));
  const logStore = new QuorumLogStore({
    runtime,
    zones: logZones,
    dataStore,
    report: (zone, event, error) => {
      onZoneEvent(zone, event);
      if (event !== 'taken')
        report(`log zone: ${event}`, { zone, why: error instanceof Error ? error.message : undefined });
    },
  });
  return {
    logStore,
    deployment,
    failingZones: () =>
      new Map(logZones.map((zone, index) => [zone.name, zone.isFailing || !zones[index]?.store.isOpen])),
    close: () => {
      isClosed = true;
      logStore.close();
    },
  };
}

/** Why a zone is not there. Rethrows an error that says that it is there and must not be used, or is none of a store. */
function reasonToGoOnWithout(error: unknown): string {
  const isStoreError = error instanceof StoreUnavailableError || error instanceof ByocError;
  if (!isStoreError || (error instanceof ByocError && error.code === 'STORE_INCAPABLE')) throw error;
  return error.message;
}
