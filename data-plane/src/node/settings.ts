/** Settings of a data node, from the environment. Every value is checked here and nowhere else. */
import { availableParallelism, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { describeStore, fileStore, parseStoreUrl, StoreUrlError } from '../object-store/store-url.js';
import { defaultLeaseTiming, type LeaseTiming } from '../ownership/lease-timing.js';
import { storeNames, type StoreLocations, type StoreName } from './node-stores.js';

export interface NodeSettings {
  /** Where the object stores are. */
  readonly stores: StoreLocations;
  /** Directory of the local key service. */
  readonly keyDirectory: string;
  /** Local disk: a cache, wiped at start. */
  readonly cacheDirectory: string;
  readonly httpHost: string;
  /** 0 = any free port. */
  readonly httpPort: number;
  /** Where the other nodes of the deployment reach this one. */
  readonly advertisedHost: string;
  readonly adminHost: string;
  readonly adminPort: number;
  /** File with the secret that the control plane shows to the admin interface. */
  readonly adminCredentialFile: string;
  readonly commitWindowMs: number;
  /** An answer waits this long for the store to confirm the commits it saw; then their outcome is unknown. */
  readonly durabilityTimeoutMs: number;
  readonly timing: LeaseTiming;
  /** How long a request may wait for a node that serves its database. */
  readonly routeTimeoutMs: number;
  /** How long a node that was asked to stop goes on as before, so that load balancers can notice that it is not ready. */
  readonly drainDelayMs: number;
  readonly engineProcesses: number;
  /** A statement that runs longer is stopped, with its engine process. */
  readonly statementDeadlineMs: number;
  readonly idleCloseMs: number;
  readonly maxOpenDatabases: number;
  readonly maxDatabaseBytes: number;
  /** How far back every commit can be restored. */
  readonly historyDays: number;
  /** How long a deleted database can be brought back. */
  readonly undeleteDays: number;
  readonly logLevel: string;
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws `SettingError` with the name of the variable and what it should be. */
export function nodeSettings(environment: Environment): NodeSettings {
  const text = (name: string, fallback?: string): string => {
    const value = environment[name] ?? fallback;
    if (value === undefined || value === '') throw new SettingError(`${name} is not set`);
    return value;
  };
  const whole = (name: string, fallback: number, minimum: number, maximum: number): number => {
    const value = environment[name] === undefined ? fallback : Number(environment[name]);
    if (!Number.isInteger(value) || value < minimum || value > maximum) {
      throw new SettingError(
        `${name} is ${String(environment[name])}; it must be a whole number from ${minimum} to ${maximum}`,
      );
    }
    return value;
  };
  return {
    stores: storeLocations(environment),
    keyDirectory: resolve(text('TURSO_BYOC_KEY_DIR')),
    cacheDirectory: resolve(text('TURSO_BYOC_CACHE_DIR')),
    httpHost: text('TURSO_BYOC_HTTP_HOST', '127.0.0.1'),
    httpPort: whole('TURSO_BYOC_HTTP_PORT', 8080, 0, 65_535),
    advertisedHost: text('TURSO_BYOC_ADVERTISED_HOST', advertisedHost(text('TURSO_BYOC_HTTP_HOST', '127.0.0.1'))),
    adminHost: text('TURSO_BYOC_ADMIN_HOST', '127.0.0.1'),
    adminPort: whole('TURSO_BYOC_ADMIN_PORT', 8082, 0, 65_535),
    adminCredentialFile: resolve(text('TURSO_BYOC_ADMIN_CREDENTIAL_FILE')),
    commitWindowMs: whole('TURSO_BYOC_COMMIT_WINDOW_MS', 10, 0, 1_000),
    durabilityTimeoutMs: whole('TURSO_BYOC_DURABILITY_TIMEOUT_MS', 15_000, 100, 600_000),
    timing: leaseTiming(whole),
    routeTimeoutMs: whole('TURSO_BYOC_ROUTE_TIMEOUT_MS', 15_000, 100, 600_000),
    drainDelayMs: whole('TURSO_BYOC_DRAIN_DELAY_MS', 0, 0, 600_000),
    engineProcesses: whole('TURSO_BYOC_ENGINE_PROCESSES', Math.max(2, availableParallelism()), 1, 256),
    statementDeadlineMs: whole('TURSO_BYOC_STATEMENT_DEADLINE_MS', 5_000, 100, 600_000),
    idleCloseMs: whole('TURSO_BYOC_IDLE_CLOSE_MS', 60_000, 100, 86_400_000),
    maxOpenDatabases: whole('TURSO_BYOC_MAX_OPEN_DATABASES', 2_000, 1, 100_000),
    maxDatabaseBytes: whole('TURSO_BYOC_MAX_DATABASE_BYTES', 20 * 2 ** 30, 1 << 20, 2 ** 44),
    historyDays: whole('TURSO_BYOC_HISTORY_DAYS', 35, 1, 3_650),
    undeleteDays: whole('TURSO_BYOC_UNDELETE_DAYS', 7, 0, 3_650),
    logLevel: text('TURSO_BYOC_LOG_LEVEL', 'info'),
  };
}

type WholeNumber = (name: string, fallback: number, minimum: number, maximum: number) => number;

/** The margin is a quarter of the lease; both must be the same on every node. */
function leaseTiming(whole: WholeNumber): LeaseTiming {
  const { beatMs, leaseMs } = defaultLeaseTiming;
  const timing = {
    beatMs: whole('TURSO_BYOC_BEAT_MS', beatMs, 20, 60_000),
    leaseMs: whole('TURSO_BYOC_LEASE_MS', leaseMs, 100, 600_000),
  };
  if (timing.leaseMs < 3 * timing.beatMs) {
    throw new SettingError('TURSO_BYOC_LEASE_MS must be at least three times TURSO_BYOC_BEAT_MS');
  }
  return { ...timing, marginMs: timing.leaseMs / 4 };
}

/** The address that a server on `listenHost` has for others: that one, or this machine's first when it listens on all. */
function advertisedHost(listenHost: string): string {
  if (listenHost !== '0.0.0.0' && listenHost !== '::') return listenHost;
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1';
}

/** `TURSO_BYOC_DATA_STORE`, `…_LOG_STORE`, `…_CONTROL_STORE`; `TURSO_BYOC_STORE_DIR` stands in for those that are not set. */
export function storeLocations(environment: Environment): StoreLocations {
  const directory = environment['TURSO_BYOC_STORE_DIR'];
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'] || undefined;
  const locate = (name: StoreName): StoreLocations[StoreName] => {
    const variable = `TURSO_BYOC_${name.toUpperCase()}_STORE`;
    const value = environment[variable];
    if (!value) {
      if (!directory) throw new SettingError(`neither ${variable} nor TURSO_BYOC_STORE_DIR is set`);
      return fileStore(join(resolve(directory), name));
    }
    try {
      return parseStoreUrl(value, name, endpoint);
    } catch (error) {
      if (!(error instanceof StoreUrlError)) throw error;
      throw new SettingError(`${variable} cannot be used: ${error.message}`, { cause: error });
    }
  };
  const stores = { data: locate('data'), log: locate('log'), control: locate('control') };
  const places = storeNames.map((name) => describeStore(stores[name]));
  if (new Set(places).size < places.length) {
    throw new SettingError(`the data, log and control stores must be three different places: ${places.join(', ')}`);
  }
  return stores;
}
