/** Settings of a data node, from the environment. Every value is checked here and nowhere else. */
import { availableParallelism, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { faultOfAddresses } from '../auth/client-origin.js';
import { KeyServiceUrlError, parseKeyServiceUrl, type KeyServiceLocation } from '../keys/key-service-url.js';
import type { KeyWatchSettings } from '../keys/key-watch.js';
import {
  describeStore,
  fileStore,
  parseStoreUrl,
  StoreUrlError,
  type StoreLocation,
} from '../object-store/store-url.js';
import { defaultLeaseTiming, type LeaseTiming } from '../ownership/lease-timing.js';
import { readTracingSettings, TracingSettingError, type TracingSettings } from '../tracing/tracing-settings.js';
import { defaultEngineMemoryMiB } from './engine-memory.js';
import { keyWatchSettings } from './limits.js';
import { zoneNames, type StoreLocations } from './node-stores.js';
import type { SecretSource } from './secret-source.js';

export interface NodeSettings {
  /** Where the object stores are. */
  readonly stores: StoreLocations;
  /** Where the key service is. */
  readonly keyService: KeyServiceLocation;
  readonly keyWatch: KeyWatchSettings;
  /** Local disk: a cache, wiped at start. */
  readonly cacheDirectory: string;
  readonly httpHost: string;
  /** 0 = any free port. */
  readonly httpPort: number;
  /** Where the other nodes of the deployment reach this one. */
  readonly advertisedHost: string;
  readonly adminHost: string;
  readonly adminPort: number;
  /** The secret that the control plane shows to the admin interface. */
  readonly adminCredential: SecretSource;
  readonly commitWindowMs: number;
  /** An answer waits this long for the store to confirm the commits it saw; then their outcome is unknown. */
  readonly durabilityTimeoutMs: number;
  readonly timing: LeaseTiming;
  /** How long a request may wait for a node that serves its database. */
  readonly routeTimeoutMs: number;
  /** How long a node that was asked to stop goes on as before, so that load balancers can notice that it is not ready. */
  readonly drainDelayMs: number;
  readonly engineProcesses: number;
  /** An engine process of each engine stands by for a database that loses its own. */
  readonly standbyProcess: boolean;
  /** A statement that runs longer is stopped, with its engine process. */
  readonly statementDeadlineMs: number;
  /** What an engine process may have to itself; beyond it is ended, with the statement it runs. */
  readonly engineMemoryMiB: number;
  readonly idleCloseMs: number;
  readonly maxOpenDatabases: number;
  readonly maxDatabaseBytes: number;
  /** How far back every commit can be restored. */
  readonly historyDays: number;
  /** How long a deleted database can be brought back. */
  readonly undeleteDays: number;
  /** How often the node looks for garbage; 0 = never. */
  readonly collectHours: number;
  /** Addresses and CIDR blocks of proxies whose word on where clients are is taken. */
  readonly trustedProxies: readonly string[];
  /** Origins that JSON Web Key Sets may be fetched from. */
  readonly jwksOrigins: readonly string[];
  /** Their connections begin with a header of the PROXY protocol. */
  readonly proxyProtocol: boolean;
  readonly logLevel: string;
  /** Namespace of CloudWatch under which metrics are written into the log; undefined = they are not. */
  readonly embeddedMetrics?: string | undefined;
  /** Undefined = nothing is traced. */
  readonly tracing?: TracingSettings | undefined;
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
  const engineProcesses = whole('TURSO_BYOC_ENGINE_PROCESSES', Math.max(2, availableParallelism()), 1, 256);
  return {
    stores: storeLocations(environment),
    keyService: keyServiceLocation(environment),
    keyWatch: {
      // Two intervals make the minute within which a revoked key must have ended its databases.
      probeEveryMs: whole('TURSO_BYOC_KEY_PROBE_MS', keyWatchSettings.probeEveryMs, 100, 30_000),
      graceMs: whole('TURSO_BYOC_KEY_GRACE_MS', keyWatchSettings.graceMs, 0, 7 * 86_400_000),
    },
    cacheDirectory: resolve(text('TURSO_BYOC_CACHE_DIR')),
    httpHost: text('TURSO_BYOC_HTTP_HOST', '127.0.0.1'),
    httpPort: whole('TURSO_BYOC_HTTP_PORT', 8080, 0, 65_535),
    advertisedHost: text('TURSO_BYOC_ADVERTISED_HOST', advertisedHost(text('TURSO_BYOC_HTTP_HOST', '127.0.0.1'))),
    adminHost: text('TURSO_BYOC_ADMIN_HOST', '127.0.0.1'),
    adminPort: whole('TURSO_BYOC_ADMIN_PORT', 8082, 0, 65_535),
    adminCredential: adminCredential(environment),
    commitWindowMs: whole('TURSO_BYOC_COMMIT_WINDOW_MS', 10, 0, 1_000),
    durabilityTimeoutMs: whole('TURSO_BYOC_DURABILITY_TIMEOUT_MS', 15_000, 100, 600_000),
    timing: leaseTiming(whole),
    routeTimeoutMs: whole('TURSO_BYOC_ROUTE_TIMEOUT_MS', 15_000, 100, 600_000),
    drainDelayMs: whole('TURSO_BYOC_DRAIN_DELAY_MS', 0, 0, 600_000),
    standbyProcess: whole('TURSO_BYOC_STANDBY_PROCESS', 1, 0, 1) === 1,
    engineProcesses,
    engineMemoryMiB: whole('TURSO_BYOC_ENGINE_MEMORY_MIB', defaultEngineMemoryMiB(engineProcesses), 64, 2 ** 20),
    statementDeadlineMs: whole('TURSO_BYOC_STATEMENT_DEADLINE_MS', 5_000, 100, 600_000),
    idleCloseMs: whole('TURSO_BYOC_IDLE_CLOSE_MS', 60_000, 100, 86_400_000),
    maxOpenDatabases: whole('TURSO_BYOC_MAX_OPEN_DATABASES', 2_000, 1, 100_000),
    maxDatabaseBytes: whole('TURSO_BYOC_MAX_DATABASE_BYTES', 20 * 2 ** 30, 1 << 20, 2 ** 44),
    historyDays: whole('TURSO_BYOC_HISTORY_DAYS', 35, 1, 3_650),
    undeleteDays: whole('TURSO_BYOC_UNDELETE_DAYS', 7, 0, 3_650),
    collectHours: whole('TURSO_BYOC_COLLECT_HOURS', 24, 0, 240),
    ...proxies(environment, whole),
    jwksOrigins: jwksOrigins(environment),
    logLevel: text('TURSO_BYOC_LOG_LEVEL', 'info'),
    embeddedMetrics: environment['TURSO_BYOC_EMBEDDED_METRICS'] || undefined,
    tracing: tracingSettings(environment),
  };
}

/** `TURSO_BYOC_ADMIN_CREDENTIAL`, the secret itself, or `TURSO_BYOC_ADMIN_CREDENTIAL_FILE`, a file with it. */
function adminCredential(environment: Environment): SecretSource {
  const text = environment['TURSO_BYOC_ADMIN_CREDENTIAL'];
  const file = environment['TURSO_BYOC_ADMIN_CREDENTIAL_FILE'];
  if (text && file) {
    throw new SettingError('TURSO_BYOC_ADMIN_CREDENTIAL and TURSO_BYOC_ADMIN_CREDENTIAL_FILE are both set; set one');
  }
  if (text) return { kind: 'environment', text };
  if (file) return { kind: 'file', path: resolve(file) };
  throw new SettingError('neither TURSO_BYOC_ADMIN_CREDENTIAL_FILE nor TURSO_BYOC_ADMIN_CREDENTIAL is set');
}

/** Those of OpenTelemetry; its libraries read the rest themselves. */
function tracingSettings(environment: Environment): TracingSettings | undefined {
  try {
    return readTracingSettings(environment);
  } catch (error) {
    if (error instanceof TracingSettingError) throw new SettingError(error.message);
    throw error;
  }
}

function jwksOrigins(environment: Environment): string[] {
  const texts = (environment['TURSO_BYOC_JWKS_ORIGINS'] ?? '').split(/[\s,]+/).filter((text) => text !== '');
  for (const text of texts) {
    let url: URL | undefined;
    try {
      url = new URL(text);
    } catch {
      url = undefined;
    }
    if (url?.origin === text && (url.protocol === 'https:' || url.protocol === 'http:')) continue;
    throw new SettingError(
      `TURSO_BYOC_JWKS_ORIGINS has ${JSON.stringify(text)}; it must have origins such as https://id.example.com`,
    );
  }
  return texts;
}

function proxies(environment: Environment, whole: WholeNumber): Pick<NodeSettings, 'trustedProxies' | 'proxyProtocol'> {
  const trustedProxies = (environment['TURSO_BYOC_TRUSTED_PROXIES'] ?? '')
    .split(/[\s,]+/)
    .filter((text) => text !== '');
  const fault = faultOfAddresses(trustedProxies);
  if (fault !== undefined) throw new SettingError(`TURSO_BYOC_TRUSTED_PROXIES cannot be used: ${fault}`);
  const proxyProtocol = whole('TURSO_BYOC_PROXY_PROTOCOL', 0, 0, 1) === 1;
  if (proxyProtocol && trustedProxies.length === 0) {
    throw new SettingError('TURSO_BYOC_PROXY_PROTOCOL is 1, and TURSO_BYOC_TRUSTED_PROXIES names no proxy');
  }
  return { trustedProxies, proxyProtocol };
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
  return firstReachable(addresses) ?? '127.0.0.1';
}

/**
 * The first of a machine's addresses at which others can reach it. Link-local ones are not: containers of ECS have such an
 * interface for their metadata, before the one of their network.
 */
export function firstReachable(
  addresses: readonly { readonly address: string; readonly family: string; readonly internal: boolean }[],
): string | undefined {
  const reachable = addresses.find(
    ({ address, internal, family }) => !internal && family === 'IPv4' && !address.startsWith('169.254.'),
  );
  return reachable?.address;
}

/**
 * `TURSO_BYOC_DATA_STORE`, `…_LOG_STORE`, `…_CONTROL_STORE`; `TURSO_BYOC_STORE_DIR` stands in for those that are not set. The
 * log store is one URL, or three with white space in between.
 */
export function storeLocations(environment: Environment): StoreLocations {
  const directory = environment['TURSO_BYOC_STORE_DIR'];
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'] || undefined;
  const locate = (name: 'data' | 'log' | 'control', most: 1 | 3): StoreLocation[] => {
    const variable = `TURSO_BYOC_${name.toUpperCase()}_STORE`;
    const urls = (environment[variable] ?? '').split(/\s+/).filter((url) => url !== '');
    if (urls.length === 0) {
      if (!directory) throw new SettingError(`neither ${variable} nor TURSO_BYOC_STORE_DIR is set`);
      return [fileStore(join(resolve(directory), name))];
    }
    if (urls.length > 1 && urls.length !== most) {
      throw new SettingError(
        `${variable} has ${urls.length} URLs; it must be ${most === 1 ? 'one' : 'one, or three for three zones'}`,
      );
    }
    try {
      return urls.map((url) => parseStoreUrl(url, name, endpoint));
    } catch (error) {
      if (!(error instanceof StoreUrlError)) throw error;
      throw new SettingError(`${variable} cannot be used: ${error.message}`, { cause: error });
    }
  };
  const [data, log, control] = [locate('data', 1), locate('log', zoneNames.length), locate('control', 1)];
  const places = [...data, ...log, ...control].map(describeStore);
  if (new Set(places).size < places.length) {
    throw new SettingError(`the data, log and control stores must be different places: ${places.join(', ')}`);
  }
  assertApart(log);
  return { data: data[0] as StoreLocation, log, control: control[0] as StoreLocation };
}

/** `TURSO_BYOC_KEY_SERVICE`; `TURSO_BYOC_KEY_DIR` stands in for it: the local key service in that directory. */
function keyServiceLocation(environment: Environment): KeyServiceLocation {
  const url = environment['TURSO_BYOC_KEY_SERVICE'];
  if (!url) {
    const directory = environment['TURSO_BYOC_KEY_DIR'];
    if (!directory) throw new SettingError('neither TURSO_BYOC_KEY_SERVICE nor TURSO_BYOC_KEY_DIR is set');
    return { kind: 'file', directory: resolve(directory) };
  }
  const endpoint = environment['AWS_ENDPOINT_URL_KMS'] || environment['AWS_ENDPOINT_URL'] || undefined;
  try {
    return parseKeyServiceUrl(url, endpoint);
  } catch (error) {
    if (!(error instanceof KeyServiceUrlError)) throw error;
    throw new SettingError(`TURSO_BYOC_KEY_SERVICE cannot be used: ${error.message}`, { cause: error });
  }
}

/** Directory buckets name their availability zone: two in one zone would be lost together. */
function assertApart(log: readonly StoreLocation[]): void {
  const zones = log.flatMap((location) => {
    const bucket = location.kind === 's3' ? location.options.bucket : '';
    return /--([a-z0-9-]+)--x-s3$/.exec(bucket)?.[1] ?? [];
  });
  if (new Set(zones).size < zones.length) {
    throw new SettingError(
      `TURSO_BYOC_LOG_STORE must name buckets in three availability zones, not ${zones.join(', ')}`,
    );
  }
}
