/** Every setting of the control plane process: one environment variable each, checked before anything starts. */
import {
  fileStore,
  parseStoreUrl,
  StoreUrlError,
  type StoreLocation,
} from '@turso-byoc/data-plane/object-store/store-url.js';
import { faultOfAddresses } from '@turso-byoc/data-plane/auth/client-origin.js';
import { KeyServiceUrlError, parseKeyServiceUrl } from '@turso-byoc/data-plane/keys/key-service-url.js';
import type { SecretSource } from '@turso-byoc/data-plane/node/secret-source.js';
import type { SigningKeySource } from './auth/signing-key-source.js';
import {
  readTracingSettings,
  TracingSettingError,
  type TracingSettings,
} from '@turso-byoc/data-plane/tracing/tracing-settings.js';
import { ControlPlaneError } from './errors/catalogue.js';

export interface ControlPlaneConfig {
  readonly apiHost: string;
  /** 0 = a free port. */
  readonly apiPort: number;
  /** Addresses and CIDR blocks of load balancers whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Where metrics are served, on the same host; 0 = a free port, undefined = nowhere. */
  readonly metricsPort?: number;
  /** The data plane as a client reaches it; the catalog is read there. */
  readonly dataUrl: string;
  readonly adminUrl: string;
  /** The secret that the data nodes know too. */
  readonly adminCredential: SecretSource;
  readonly signingKey: SigningKeySource;
  /** Where the verification keys are published. */
  readonly controlStore: StoreLocation;
  /** Where the audit log is exported. @default the control store */
  readonly auditStore?: StoreLocation;
  /** What follows `<database>-<organization>.` in the host names that clients are given. */
  readonly hostnameSuffix: string;
  readonly primaryRegion: string;
  /** The file with the one-time token that makes the first administrator. */
  readonly bootstrapTokenFile?: string;
  /** Present when people sign in through an OpenID Connect provider. */
  readonly oidc?: OidcConfig;
  readonly logLevel: string;
  /** Namespace of CloudWatch under which metrics are written into the log; undefined = they are not. */
  readonly embeddedMetrics?: string;
  /** Undefined = nothing is traced. */
  readonly tracing?: TracingSettings | undefined;
}

/** The customer's OpenID Connect provider. */
export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecretFile: string;
  /** Where people reach the Platform API, without a path. */
  readonly publicUrl: string;
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'];

/** Reads the settings from an environment. Throws `SETTING_INVALID`, naming the variable and what it takes. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ControlPlaneConfig {
  const optional = (name: string, fallback: string): string => {
    const value = environment[name];
    return value === undefined || value === '' ? fallback : value;
  };
  const required = (name: string, meaning: string): string => {
    const value = optional(name, '');
    if (value === '') throw new ControlPlaneError('SETTING_INVALID', `${name} is not set; set it to ${meaning}`);
    return value;
  };
  const matching = (name: string, value: string, pattern: RegExp, meaning: string): string => {
    if (!pattern.test(value)) {
      throw new ControlPlaneError('SETTING_INVALID', `${name} is ${JSON.stringify(value)}; set it to ${meaning}`);
    }
    return value;
  };
  const logLevel = optional('TURSO_BYOC_LOG_LEVEL', 'info');
  const bootstrapTokenFile = optional('TURSO_BYOC_BOOTSTRAP_TOKEN_FILE', '');
  const issuer = optional('TURSO_BYOC_OIDC_ISSUER', '');
  const embeddedMetrics = optional('TURSO_BYOC_EMBEDDED_METRICS', '');
  const auditStore = optional('TURSO_BYOC_AUDIT_STORE', '');
  return {
    ...(embeddedMetrics !== '' && { embeddedMetrics }),
    tracing: tracingSettings(environment),
    apiHost: optional('TURSO_BYOC_API_HOST', '127.0.0.1'),
    apiPort: readPort('TURSO_BYOC_API_PORT', environment, 8081),
    trustedProxies: trustedProxies(optional('TURSO_BYOC_TRUSTED_PROXIES', '')),
    ...(optional('TURSO_BYOC_METRICS_PORT', '') !== '' && {
      metricsPort: readPort('TURSO_BYOC_METRICS_PORT', environment, 0),
    }),
    dataUrl: httpUrl('TURSO_BYOC_DATA_URL', required('TURSO_BYOC_DATA_URL', "the data plane's URL")),
    adminUrl: httpUrl(
      'TURSO_BYOC_ADMIN_URL',
      required('TURSO_BYOC_ADMIN_URL', "the URL of a data node's admin listener"),
    ),
    adminCredential: secretSource(
      optional('TURSO_BYOC_ADMIN_CREDENTIAL', ''),
      optional('TURSO_BYOC_ADMIN_CREDENTIAL_FILE', ''),
    ),
    signingKey: signingKeySource(environment, optional),
    controlStore: controlStore(optional('TURSO_BYOC_CONTROL_STORE', ''), environment, () =>
      required(
        'TURSO_BYOC_CONTROL_STORE_DIR',
        'the directory of the control object store, or TURSO_BYOC_CONTROL_STORE to its URL',
      ),
    ),
    ...(auditStore !== '' && { auditStore: storeAt('TURSO_BYOC_AUDIT_STORE', auditStore, 'audit', environment) }),
    hostnameSuffix: matching(
      'TURSO_BYOC_HOSTNAME_SUFFIX',
      required('TURSO_BYOC_HOSTNAME_SUFFIX', 'what follows the first label in host names of databases'),
      /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/,
      'a host name without a leading dot, with a port if need be, such as db.example.com or localhost:8080',
    ),
    primaryRegion: matching(
      'TURSO_BYOC_PRIMARY_REGION',
      optional('TURSO_BYOC_PRIMARY_REGION', 'local'),
      /^[a-z0-9-]{1,40}$/,
      '"local" or a region such as aws-eu-central-1',
    ),
    ...(bootstrapTokenFile !== '' && { bootstrapTokenFile }),
    ...(issuer !== '' && {
      oidc: {
        issuer: secureUrl('TURSO_BYOC_OIDC_ISSUER', issuer),
        clientId: required('TURSO_BYOC_OIDC_CLIENT_ID', 'the id of this deployment at the identity provider'),
        clientSecretFile: required(
          'TURSO_BYOC_OIDC_CLIENT_SECRET_FILE',
          'the path of the file with the secret that the identity provider knows too',
        ),
        publicUrl: secureUrl(
          'TURSO_BYOC_PUBLIC_URL',
          required('TURSO_BYOC_PUBLIC_URL', 'the URL under which people reach the Platform API'),
        ).replace(/\/$/, ''),
      },
    }),
    logLevel: matching(
      'TURSO_BYOC_LOG_LEVEL',
      logLevel,
      new RegExp(`^(?:${logLevels.join('|')})$`),
      `one of ${logLevels.join(', ')}`,
    ),
  };
}

/** The load balancers in a variable, as data nodes take it. Nobody is trusted because of being anybody. */
function trustedProxies(text: string): readonly string[] {
  const proxies = text.split(/[\s,]+/).filter((each) => each !== '');
  const everybody = proxies.find((each) => /\/0+$/.test(each));
  const fault = faultOfAddresses(proxies) ?? (everybody && `${everybody} is every address`);
  if (fault === undefined) return proxies;
  throw new ControlPlaneError('SETTING_INVALID', `TURSO_BYOC_TRUSTED_PROXIES cannot be used: ${fault}`);
}

function tracingSettings(environment: Readonly<Record<string, string | undefined>>): TracingSettings | undefined {
  try {
    return readTracingSettings(environment);
  } catch (error) {
    if (!(error instanceof TracingSettingError)) throw error;
    throw new ControlPlaneError('SETTING_INVALID', error.message);
  }
}

/** `TURSO_BYOC_CONTROL_STORE`, a URL as data nodes take it; `TURSO_BYOC_CONTROL_STORE_DIR` stands in for it. */
function controlStore(
  url: string,
  environment: Readonly<Record<string, string | undefined>>,
  directory: () => string,
): StoreLocation {
  return url === '' ? fileStore(directory()) : storeAt('TURSO_BYOC_CONTROL_STORE', url, 'control', environment);
}

function storeAt(
  name: string,
  url: string,
  defaultPrefix: string,
  environment: Readonly<Record<string, string | undefined>>,
): StoreLocation {
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] || environment['AWS_ENDPOINT_URL'] || undefined;
  try {
    return parseStoreUrl(url, defaultPrefix, endpoint);
  } catch (error) {
    if (!(error instanceof StoreUrlError)) throw error;
    throw new ControlPlaneError('SETTING_INVALID', `${name} cannot be used: ${error.message}`);
  }
}

/** One of the two variables of the admin credential: the secret itself, or a file with it. */
function secretSource(text: string, path: string): SecretSource {
  if (text !== '' && path !== '') {
    throw new ControlPlaneError(
      'SETTING_INVALID',
      'TURSO_BYOC_ADMIN_CREDENTIAL and TURSO_BYOC_ADMIN_CREDENTIAL_FILE are both set; set one of them',
    );
  }
  if (text !== '') return { kind: 'environment', text };
  if (path !== '') return { kind: 'file', path };
  throw new ControlPlaneError(
    'SETTING_INVALID',
    'TURSO_BYOC_ADMIN_CREDENTIAL_FILE is not set; set it to the path of the file with the secret that the data node knows too, or TURSO_BYOC_ADMIN_CREDENTIAL to the secret',
  );
}

/** One of the three variables of the signing key: its URL in KMS, its seed, or a file with it. */
function signingKeySource(
  environment: Readonly<Record<string, string | undefined>>,
  optional: (name: string, fallback: string) => string,
): SigningKeySource {
  const [url, hex, path] = ['', '_SEED', '_FILE'].map((suffix) => optional(`TURSO_BYOC_SIGNING_KEY${suffix}`, ''));
  const given = [url, hex, path].filter((value) => value !== '');
  if (given.length === 0) {
    throw new ControlPlaneError(
      'SETTING_INVALID',
      'TURSO_BYOC_SIGNING_KEY_FILE is not set; set it to the path of a file with an Ed25519 private key, or TURSO_BYOC_SIGNING_KEY to kms:<key ARN>, or TURSO_BYOC_SIGNING_KEY_SEED to 64 hexadecimal digits',
    );
  }
  if (given.length > 1) {
    throw new ControlPlaneError(
      'SETTING_INVALID',
      'of TURSO_BYOC_SIGNING_KEY, TURSO_BYOC_SIGNING_KEY_SEED and TURSO_BYOC_SIGNING_KEY_FILE more than one is set; set one of them',
    );
  }
  if (path) return { kind: 'file', path };
  if (hex) return { kind: 'seed', hex };
  const endpoint = environment['AWS_ENDPOINT_URL_KMS'] || environment['AWS_ENDPOINT_URL'] || undefined;
  try {
    const location = parseKeyServiceUrl(url ?? '', endpoint);
    if (location.kind === 'kms') return location;
  } catch (error) {
    if (!(error instanceof KeyServiceUrlError)) throw error;
    throw new ControlPlaneError('SETTING_INVALID', `TURSO_BYOC_SIGNING_KEY cannot be used: ${error.message}`);
  }
  throw new ControlPlaneError('SETTING_INVALID', 'TURSO_BYOC_SIGNING_KEY cannot be used: set it to kms:<key ARN>');
}

/** The port in a variable; 0 stands for a free one. Throws `SETTING_INVALID`. */
export function readPort(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  fallback: number,
): number {
  return readInteger(name, environment, fallback, 65_535, 'a port number, or 0 for a free port');
}

/** The integer from 0 to `max` in a variable. Throws `SETTING_INVALID`. */
export function readInteger(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
  fallback: number,
  max: number,
  meaning: string,
): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) {
    throw new ControlPlaneError('SETTING_INVALID', `${name} is ${JSON.stringify(text)}; set it to ${meaning}`);
  }
  return value;
}

/** A URL under HTTPS, or one on this machine. */
function secureUrl(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLocal = url !== undefined && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return text;
  throw new ControlPlaneError(
    'SETTING_INVALID',
    `${name} is ${JSON.stringify(text)}; set it to a URL that begins with https://`,
  );
}

function httpUrl(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new ControlPlaneError(
      'SETTING_INVALID',
      `${name} is ${JSON.stringify(text)}; set it to a URL that begins with http:// or https://`,
    );
  }
  return url.href.endsWith('/') ? url.href : `${url.href}/`;
}
