import { readSecret } from './secret-source.js';
import { firstReachable, nodeSettings, SettingError } from './settings.js';

const others = {
  TURSO_BYOC_KEY_DIR: '/keys',
  TURSO_BYOC_CACHE_DIR: '/cache',
  TURSO_BYOC_ADMIN_CREDENTIAL_FILE: '/credential',
};
const stores = (environment: Record<string, string>): unknown => nodeSettings({ ...others, ...environment }).stores;

describe('the store settings of a data node', () => {
  it('are three directories of one', () => {
    expect(stores({ TURSO_BYOC_STORE_DIR: '/store' })).toEqual({
      data: { kind: 'file', directory: '/store/data' },
      log: [{ kind: 'file', directory: '/store/log' }],
      control: { kind: 'file', directory: '/store/control' },
    });
  });

  it('are URLs, and the directory stands in for what is not set', () => {
    const environment = {
      TURSO_BYOC_STORE_DIR: '/store',
      TURSO_BYOC_DATA_STORE: 's3://bucket',
      TURSO_BYOC_LOG_STORE: 's3://log--euw1-az1--x-s3/a',
      AWS_ENDPOINT_URL: 'http://endpoint',
    };
    expect(stores(environment)).toMatchObject({
      data: { options: { bucket: 'bucket', keyPrefix: 'data', endpoint: 'http://endpoint' } },
      log: [{ options: { bucket: 'log--euw1-az1--x-s3', keyPrefix: 'a' } }],
      control: { kind: 'file', directory: '/store/control' },
    });
  });

  it('name one log store, or three zones', () => {
    const urls = ['az1', 'az2', 'az3'].map((zone) => `s3://log--euw1-${zone}--x-s3/a`);
    expect(stores({ TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_LOG_STORE: ` ${urls.join('\n  ')} ` })).toMatchObject({
      log: urls.map((url) => ({ options: { bucket: new URL(url).hostname, keyPrefix: 'a' } })),
    });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'two zones',
      { TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_LOG_STORE: 'file:///a file:///b' },
      /^TURSO_BYOC_LOG_STORE has 2 URLs; it must be one, or three/,
    ],
    [
      'three data stores',
      { TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_DATA_STORE: 'file:///a file:///b file:///c' },
      /^TURSO_BYOC_DATA_STORE has 3 URLs; it must be one$/,
    ],
    [
      'one place for two zones',
      { TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_LOG_STORE: 'file:///a file:///b file:///a' },
      /different places/,
    ],
    [
      'two zones of the log in one availability zone',
      {
        TURSO_BYOC_STORE_DIR: '/store',
        TURSO_BYOC_LOG_STORE: 's3://a--euw1-az1--x-s3 s3://b--euw1-az2--x-s3 s3://c--euw1-az1--x-s3',
      },
      /three availability zones, not euw1-az1, euw1-az2, euw1-az1$/,
    ],
    ['nothing', {}, /^neither TURSO_BYOC_DATA_STORE nor TURSO_BYOC_STORE_DIR is set$/],
    [
      'what is no store',
      { TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_LOG_STORE: 'http://x' },
      /^TURSO_BYOC_LOG_STORE cannot be used: /,
    ],
    [
      'one place for two stores',
      { TURSO_BYOC_STORE_DIR: '/store', TURSO_BYOC_DATA_STORE: 's3://b/x', TURSO_BYOC_LOG_STORE: 's3://b/x' },
      /different places/,
    ],
  ])('are refused: %s', (_what, environment, message) => {
    expect(() => stores(environment)).toThrow(SettingError);
    expect(() => stores(environment)).toThrow(message);
  });
});

describe('the key settings of a data node', () => {
  const stored = { ...others, TURSO_BYOC_STORE_DIR: '/store' };
  const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0f6a8b0e-5a2f-4b6c-9c3e-0d9f5c1f2a3b';

  it('are a directory, or the URL of a key service', () => {
    expect(nodeSettings(stored)).toMatchObject({
      keyService: { kind: 'file', directory: '/keys' },
      keyWatch: { probeEveryMs: 30_000, graceMs: 3_600_000 },
    });
    const environment = {
      ...stored,
      TURSO_BYOC_KEY_SERVICE: `kms:${arn}`,
      AWS_ENDPOINT_URL: 'http://any',
      AWS_ENDPOINT_URL_KMS: 'http://kms',
    };
    expect(nodeSettings(environment).keyService).toEqual({
      kind: 'kms',
      options: { keyId: arn, region: 'eu-west-1', endpoint: 'http://kms' },
    });
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ['no key service', { TURSO_BYOC_KEY_DIR: '' }, /neither TURSO_BYOC_KEY_SERVICE nor TURSO_BYOC_KEY_DIR/],
    ['a key that is none', { TURSO_BYOC_KEY_SERVICE: 'kms:turso' }, /TURSO_BYOC_KEY_SERVICE cannot be used: .*no ARN/],
    ['probes that are too rare', { TURSO_BYOC_KEY_PROBE_MS: '30001' }, /TURSO_BYOC_KEY_PROBE_MS is 30001/],
    ['a time of grace without an end', { TURSO_BYOC_KEY_GRACE_MS: 'Infinity' }, /TURSO_BYOC_KEY_GRACE_MS/],
  ])('%s is refused', (_what, environment, says) => {
    expect(() => nodeSettings({ ...stored, ...environment })).toThrow(SettingError);
    expect(() => nodeSettings({ ...stored, ...environment })).toThrow(says);
  });
});

describe('the admin credential', () => {
  const source = (environment: Record<string, string>): any =>
    nodeSettings({
      TURSO_BYOC_KEY_DIR: '/keys',
      TURSO_BYOC_CACHE_DIR: '/cache',
      TURSO_BYOC_STORE_DIR: '/s',
      ...environment,
    }).adminCredential;

  it('is in a file, or in the environment', async () => {
    expect(source({ TURSO_BYOC_ADMIN_CREDENTIAL_FILE: '/credential' })).toEqual({ kind: 'file', path: '/credential' });
    expect(await readSecret(source({ TURSO_BYOC_ADMIN_CREDENTIAL: ' secret-of-ecs\n' }))).toBe('secret-of-ecs');
  });

  it.each([
    [{}, /neither TURSO_BYOC_ADMIN_CREDENTIAL_FILE nor TURSO_BYOC_ADMIN_CREDENTIAL is set/],
    [{ TURSO_BYOC_ADMIN_CREDENTIAL: 'a', TURSO_BYOC_ADMIN_CREDENTIAL_FILE: '/b' }, /both set/],
  ])('is refused when it is not there or there twice: %p', (environment, message) => {
    expect(() => source(environment)).toThrow(SettingError);
    expect(() => source(environment)).toThrow(message);
  });
});

describe('the address under which others reach a node', () => {
  const at = (address: string, internal = false, family = 'IPv4') => ({ address, internal, family });

  it('is none of the loopback, link-local or IPv6 ones', () => {
    const ofTask = [at('127.0.0.1', true), at('169.254.172.2'), at('fe80::1', false, 'IPv6'), at('10.64.3.7')];
    expect(firstReachable(ofTask)).toBe('10.64.3.7');
    expect(firstReachable([at('127.0.0.1', true), at('169.254.172.2')])).toBeUndefined();
  });
});

describe('the trace settings of a data node', () => {
  const tracing = (environment: Record<string, string>): unknown =>
    nodeSettings({ ...others, TURSO_BYOC_STORE_DIR: '/store', ...environment }).tracing;

  it('are those of OpenTelemetry; without a collector nothing is traced', () => {
    const base = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };
    expect(tracing({})).toBeUndefined();
    expect(tracing({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ', OTEL_TRACES_SAMPLER_ARG: 'x' })).toBeUndefined();
    expect(tracing({ ...base, OTEL_SDK_DISABLED: 'true' })).toBeUndefined();
    expect(tracing({ ...base, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined();
    expect(tracing(base)).toEqual({ url: 'http://collector:4318/v1/traces', share: 0.01 });
    expect(
      tracing({
        ...base,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example/otlp',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_TRACES_SAMPLER_ARG: '1',
      }),
    ).toEqual({ url: 'https://traces.example/otlp', share: 1 });
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, /^OTEL_EXPORTER_OTLP_ENDPOINT is no URL such as/],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'grpc://c:4317' }, /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is no URL such as/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:hidden@c:4318' }, /^(?!.*hidden).*OTEL_EXPORTER_OTLP_HEADERS$/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      /^OTEL_EXPORTER_OTLP_PROTOCOL is grpc; it must be http\/json/,
    ],
    ...['1.1', '-0.1', 'all', 'NaN'].map((share): [Record<string, string>, RegExp] => [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_TRACES_SAMPLER_ARG: share },
      new RegExp(`^OTEL_TRACES_SAMPLER_ARG is ${share}; it must be a number from 0 to 1$`),
    ]),
  ])('are refused when they are wrong: %j', (environment, message) => {
    expect(() => tracing(environment)).toThrow(SettingError);
    expect(() => tracing(environment)).toThrow(message);
  });
});
