import { readConfig } from './config.js';

const complete = {
  TURSO_BYOC_DATA_URL: 'http://127.0.0.1:8080',
  TURSO_BYOC_ADMIN_URL: 'http://127.0.0.1:9090/',
  TURSO_BYOC_ADMIN_CREDENTIAL_FILE: '/run/admin',
  TURSO_BYOC_SIGNING_KEY_FILE: '/run/key',
  TURSO_BYOC_CONTROL_STORE_DIR: '/var/control',
  TURSO_BYOC_HOSTNAME_SUFFIX: 'localhost:8080',
};

describe('readConfig', () => {
  it('has a default for what can have one', () => {
    expect(readConfig(complete)).toEqual({
      apiHost: '127.0.0.1',
      apiPort: 8081,
      trustedProxies: [],
      dataUrl: 'http://127.0.0.1:8080/',
      adminUrl: 'http://127.0.0.1:9090/',
      adminCredential: { kind: 'file', path: '/run/admin' },
      signingKey: { kind: 'file', path: '/run/key' },
      controlStore: { kind: 'file', directory: '/var/control' },
      hostnameSuffix: 'localhost:8080',
      primaryRegion: 'local',
      logLevel: 'info',
    });
  });

  it('takes a control store in a bucket, and says what is wrong with its URL', () => {
    const settings = { ...complete, TURSO_BYOC_CONTROL_STORE_DIR: '', AWS_ENDPOINT_URL: 'http://127.0.0.1:1' };
    expect(readConfig({ ...settings, TURSO_BYOC_CONTROL_STORE: 's3://bucket/a?region=eu-west-1' })).toMatchObject({
      controlStore: {
        kind: 's3',
        options: { bucket: 'bucket', keyPrefix: 'a', region: 'eu-west-1', endpoint: 'http://127.0.0.1:1' },
      },
    });
    expect(() => readConfig({ ...settings, TURSO_BYOC_CONTROL_STORE: 'https://bucket' })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message: 'TURSO_BYOC_CONTROL_STORE cannot be used: "https:" is neither file: nor s3:',
      }),
    );
  });

  it('takes the load balancers that it believes, and none that are everybody', () => {
    const withProxies = (text: string) => readConfig({ ...complete, TURSO_BYOC_TRUSTED_PROXIES: text });
    expect(withProxies('10.0.0.0/24, 10.0.1.7 fd00::/8').trustedProxies).toEqual([
      '10.0.0.0/24',
      '10.0.1.7',
      'fd00::/8',
    ]);
    for (const wrong of ['true', '1', 'loopback', '10.0.0.0/33', '0.0.0.0/0', '::/0']) {
      expect(() => withProxies(wrong)).toThrow(
        expect.objectContaining({
          code: 'SETTING_INVALID',
          message: expect.stringMatching(/^TURSO_BYOC_TRUSTED_PROXIES cannot be used: /) as string,
        }),
      );
    }
  });

  it('takes a store of its own for the audit log', () => {
    expect(readConfig(complete).auditStore).toBeUndefined();
    const settings = { ...complete, TURSO_BYOC_AUDIT_STORE: 's3://locked?region=eu-west-1' };
    expect(readConfig(settings).auditStore).toEqual({
      kind: 's3',
      options: { bucket: 'locked', keyPrefix: 'audit', region: 'eu-west-1' },
    });
    expect(() => readConfig({ ...complete, TURSO_BYOC_AUDIT_STORE: 'locked' })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message: expect.stringMatching(/^TURSO_BYOC_AUDIT_STORE cannot be used: /) as string,
      }),
    );
  });

  it.each(Object.keys(complete))('says that %s is missing and what it is for', (name) => {
    expect(() => readConfig({ ...complete, [name]: '' })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message: expect.stringContaining(`${name} is not set; set it to`),
      }),
    );
  });

  const oidc = {
    TURSO_BYOC_OIDC_ISSUER: 'https://id.example.com',
    TURSO_BYOC_OIDC_CLIENT_ID: 'turso-byoc',
    TURSO_BYOC_OIDC_CLIENT_SECRET_FILE: '/run/oidc',
    TURSO_BYOC_PUBLIC_URL: 'https://api.example.com/',
  };

  it('reads what sign-in and the first administrator need, where it is set', () => {
    expect(readConfig({ ...complete, ...oidc, TURSO_BYOC_BOOTSTRAP_TOKEN_FILE: '/run/bootstrap' })).toMatchObject({
      bootstrapTokenFile: '/run/bootstrap',
      oidc: {
        issuer: 'https://id.example.com',
        clientId: 'turso-byoc',
        clientSecretFile: '/run/oidc',
        publicUrl: 'https://api.example.com',
      },
    });
    const local = { ...oidc, TURSO_BYOC_OIDC_ISSUER: 'http://127.0.0.1:3000' };
    expect(readConfig({ ...complete, ...local })).toMatchObject({ oidc: { issuer: 'http://127.0.0.1:3000' } });
    for (const name of Object.keys(oidc)) {
      if (name === 'TURSO_BYOC_OIDC_ISSUER') continue;
      expect(() => readConfig({ ...complete, ...oidc, [name]: '' })).toThrow(
        expect.objectContaining({ code: 'SETTING_INVALID', message: expect.stringContaining(name) }),
      );
    }
  });

  it.each(['TURSO_BYOC_OIDC_ISSUER', 'TURSO_BYOC_PUBLIC_URL'])('takes for %s nothing that others can read', (name) => {
    for (const value of ['http://id.example.com', 'ftp://127.0.0.1', 'id.example.com']) {
      expect(() => readConfig({ ...complete, ...oidc, [name]: value })).toThrow(
        expect.objectContaining({ code: 'SETTING_INVALID', message: expect.stringContaining(name) }),
      );
    }
  });

  it('takes the signing key from KMS or as a seed instead, one of the three', () => {
    const { TURSO_BYOC_SIGNING_KEY_FILE: _, ...others } = complete;
    const arn = 'arn:aws:kms:eu-west-1:111122223333:key/0b0c0d0e-1111-2222-3333-444455556666';
    expect(readConfig({ ...others, TURSO_BYOC_SIGNING_KEY: `kms:${arn}` }).signingKey).toEqual({
      kind: 'kms',
      options: { keyId: arn, region: 'eu-west-1' },
    });
    expect(readConfig({ ...others, TURSO_BYOC_SIGNING_KEY_SEED: 'ab' }).signingKey).toEqual({
      kind: 'seed',
      hex: 'ab',
    });
    expect(() => readConfig({ ...complete, TURSO_BYOC_SIGNING_KEY_SEED: 'ab' })).toThrow(/more than one is set/);
    expect(() => readConfig({ ...others, TURSO_BYOC_SIGNING_KEY: 'file:///key' })).toThrow(/set it to kms:<key ARN>/);
    expect(() => readConfig({ ...others, TURSO_BYOC_SIGNING_KEY: 'kms:?' })).toThrow(
      /TURSO_BYOC_SIGNING_KEY cannot be used/,
    );
  });

  it('takes the admin credential from the environment instead, and not from both', () => {
    const { TURSO_BYOC_ADMIN_CREDENTIAL_FILE: _, ...others } = complete;
    const given = { ...others, TURSO_BYOC_ADMIN_CREDENTIAL: 'a-secret-of-sixteen' };
    expect(readConfig(given).adminCredential).toEqual({ kind: 'environment', text: 'a-secret-of-sixteen' });
    expect(() => readConfig({ ...complete, ...given })).toThrow(/both set/);
  });

  it('takes the settings of traces that data nodes take', () => {
    const given = { ...complete, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', OTEL_TRACES_SAMPLER_ARG: '0.5' };
    expect(readConfig(complete).tracing).toBeUndefined();
    expect(readConfig(given).tracing).toEqual({ url: 'http://collector:4318/v1/traces', share: 0.5 });
    expect(() => readConfig({ ...given, OTEL_TRACES_SAMPLER_ARG: '2' })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message: expect.stringMatching(/^OTEL_TRACES_SAMPLER_ARG is 2/),
      }),
    );
  });

  it.each([
    ['TURSO_BYOC_API_PORT', '80a'],
    ['TURSO_BYOC_API_PORT', '65536'],
    ['TURSO_BYOC_API_PORT', '-1'],
    ['TURSO_BYOC_DATA_URL', 'localhost:8080'],
    ['TURSO_BYOC_ADMIN_URL', 'ftp://x'],
    ['TURSO_BYOC_HOSTNAME_SUFFIX', '.example.com'],
    ['TURSO_BYOC_PRIMARY_REGION', 'EU West'],
    ['TURSO_BYOC_LOG_LEVEL', 'loud'],
  ])('refuses %s=%s and says what it takes', (name, value) => {
    expect(() => readConfig({ ...complete, [name]: value })).toThrow(
      expect.objectContaining({
        code: 'SETTING_INVALID',
        message: expect.stringMatching(new RegExp(`^${name} is "${value.replace('.', '\\.')}"; set it to .+`)),
      }),
    );
  });
});
