import { withDefaults } from '../config/defaults.js';
import type { DeploymentConfiguration } from '../config/deployment-configuration.js';
import { deployment as production } from '../examples/production.js';
import { appOf } from '../test/support/app-of.js';
import { scriptedAccount } from '../test/support/scripted-account.js';
import { ask, known, type Answer } from './answer.js';
import type { AwsAccount } from './aws-account.js';
import { exitStatusOf, findingText, type Finding } from './finding.js';
import { preflight } from './preflight.js';

const app = appOf({
  foundation: {
    Resources: {
      Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'production-turso-data' } },
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: 'node',
          PermissionsBoundary: 'arn:aws:iam::111122223333:policy/b',
          AssumeRolePolicyDocument: {},
        },
      },
      Network: { Type: 'AWS::EC2::VPC' },
      Endpoint: { Type: 'AWS::EC2::VPCEndpoint', Properties: { VpcEndpointType: 'Interface' } },
    },
  },
});
const now = () => new Date('2026-11-26');
const refused = async (): Promise<Answer<never>> => ({ known: false, why: 'AccessDenied: no' });

const imported: Partial<DeploymentConfiguration> = {
  domain: {
    ...production.domain,
    certificate: { kind: 'import', arn: 'arn:aws:acm:us-east-1:111122223333:certificate/1' },
  },
  keys: { databases: { kind: 'import', arn: 'arn:aws:kms:us-east-1:111122223333:key/1' } },
  network: {
    kind: 'import',
    vpcId: 'vpc-00000001',
    cidr: '10.0.0.0/16',
    subnets: [{ zone: 'us-east-1a', subnetId: 'subnet-00000001', routeTableId: 'rtb-00000001' }],
  },
  permissionsBoundary: { kind: 'import', policyArn: 'arn:aws:iam::111122223333:policy/b' },
};

async function findings(
  change: Partial<AwsAccount> = {},
  configuration: Partial<DeploymentConfiguration> = imported,
): Promise<readonly Finding[]> {
  return preflight(withDefaults({ ...production, ...configuration }), app, scriptedAccount(change), now);
}

async function only(
  check: string,
  change: Partial<AwsAccount>,
  configuration?: Partial<DeploymentConfiguration>,
): Promise<readonly Finding[]> {
  const others = (await findings(change, configuration)).filter(({ outcome }) => outcome !== 'ok');
  expect(new Set(others.map((finding) => finding.check))).toEqual(new Set([check]));
  for (const { fix } of others) expect(fix).toMatch(/\.$/);
  return others;
}

describe('preflight', () => {
  it('has nothing to say where everything fits', async () => {
    const all = await findings();
    expect(all.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    expect(exitStatusOf(all)).toBe(0);
    expect(new Set(all.map(({ check }) => check))).toEqual(
      new Set([
        'credentials',
        'zones',
        'S3 Express',
        'quotas',
        'certificate',
        'hosted zone',
        'keys',
        'images',
        'network',
        'bucket names',
        'permissions',
      ]),
    );
  });

  it('asks nothing else of another account, or without credentials', async () => {
    const [finding, ...more] = await findings({
      identity: async () => known({ account: '999988887777', arn: 'arn:aws:iam::999988887777:user/x' }),
    });
    expect(finding).toMatchObject({
      outcome: 'problem',
      says: expect.stringContaining('the configuration is for 111122223333'),
    });
    expect(more).toEqual([]);
    expect(await findings({ identity: refused })).toMatchObject([
      { outcome: 'problem', says: expect.stringContaining('no usable credentials') },
    ]);
  });

  it('never counts what it could not look at as refused, nor as good', async () => {
    const blind = await findings({
      zones: refused,
      quota: refused,
      certificate: refused,
      hostedZone: refused,
      key: refused,
      image: refused,
      bucket: refused,
      subnets: refused,
      simulate: refused,
      dryRunOfNetwork: refused,
      managedPolicy: refused,
    });
    expect(exitStatusOf(blind)).toBe(0);
    const checks = blind.filter(({ check }) => check !== 'credentials' && check !== 'S3 Express');
    expect(checks.every(({ outcome }) => outcome === 'unknown')).toBe(true);
    expect(checks.every(({ fix }) => fix !== undefined)).toBe(true);
  });

  it('compares names and ids of zones', async () => {
    const zones = [
      { name: 'us-east-1a', id: 'use1-az1', available: true },
      { name: 'us-east-1b', id: 'use1-az5', available: false },
    ];
    expect((await only('zones', { zones: async () => known(zones) })).map(({ says }) => says)).toEqual([
      'us-east-1a is use1-az1 in this account, not use1-az4',
      'us-east-1b is not available to this account',
      'this account has no zone us-east-1c in us-east-1',
    ]);
  });

  it('does not know of every zone of S3 Express, and says so', async () => {
    const zone = { name: 'us-east-1a', id: 'use1-az2' };
    const unheard = await only(
      'S3 Express',
      { zones: async () => known([{ ...zone, available: true }]) },
      { ...imported, zones: [zone], log: { kind: 'express', zoneId: 'use1-az2' } },
    );
    expect(unheard).toMatchObject([{ outcome: 'unknown' }]);
  });

  it('counts what is needed against what is left', async () => {
    const problems = await only('quotas', { quota: async (_, code) => known(code === 'L-F678F1CE' ? 1 : 1000) });
    expect(problems).toMatchObject([
      { outcome: 'problem', says: '1 networks in the region are needed, 0 of 1 are left' },
    ]);
    expect((await only('quotas', { quota: async (service) => known(service === 'ec2' ? 10 : 1000) }))[0]!.says).toMatch(
      /^120 virtual CPUs of standard instances are needed/,
    );
  });

  it.each([
    ['missing' as const, 'there is no'],
    [{ status: 'PENDING_VALIDATION', names: [], expires: undefined }, 'is PENDING_VALIDATION'],
    [{ status: 'ISSUED', names: ['db.example.com'], expires: undefined }, 'does not cover *.db.example.com'],
    [
      { status: 'ISSUED', names: ['db.example.com', '*.db.example.com'], expires: new Date('2026-12-01') },
      'expires on 2026-12-01',
    ],
  ])('looks at the certificate: %j', async (answer, says) => {
    expect((await only('certificate', { certificate: async () => known(answer) }))[0]!.says).toContain(says);
  });

  it('looks at the hosted zone', async () => {
    expect((await only('hosted zone', { hostedZone: async () => known('missing' as const) }))[0]!.says).toContain(
      'there is no hosted zone',
    );
    expect(
      (
        await only('hosted zone', {
          hostedZone: async () => known({ name: 'example.org', visibility: 'private' as const }),
        })
      )[0]!.says,
    ).toContain('is the private zone example.org, not the public zone example.com');
  });

  it.each([
    ['missing' as const, 'there is no'],
    [
      { state: 'PendingDeletion', usage: 'ENCRYPT_DECRYPT', spec: 'SYMMETRIC_DEFAULT', rotates: true },
      'is PendingDeletion',
    ],
    [{ state: 'Enabled', usage: 'SIGN_VERIFY', spec: 'RSA_2048', rotates: false }, 'is a key of kind RSA_2048'],
  ])('looks at imported keys: %j', async (answer, says) => {
    expect((await only('keys', { key: async () => known(answer) }))[0]!.says).toContain(says);
  });

  it('looks for images, in registries that it can ask', async () => {
    expect(await only('images', { image: async () => known('missing' as const) })).toMatchObject([
      { outcome: 'problem' },
      { outcome: 'problem' },
    ]);
    const elsewhere = `registry.example.com/image@sha256:${'a'.repeat(64)}`;
    expect(
      await only('images', {}, { ...imported, images: { dataPlane: elsewhere, controlPlane: elsewhere } }),
    ).toMatchObject([{ outcome: 'unknown' }, { outcome: 'unknown' }]);
  });

  it('looks at an imported network', async () => {
    const subnet = (zone: string, freeAddresses: number) => ({
      subnets: async () => known([{ id: 'subnet-00000001', zone, freeAddresses }]),
    });
    expect((await only('network', { subnets: async () => known('missing' as const) }))[0]!.says).toContain(
      'there is no vpc-00000001',
    );
    expect((await only('network', { subnets: async () => known([]) }))[0]!.says).toContain('has no subnet-00000001');
    expect((await only('network', subnet('us-east-1b', 200)))[0]!.says).toContain(
      'is in us-east-1b, not in us-east-1a',
    );
    expect((await only('network', subnet('us-east-1a', 40)))[0]!.says).toContain(
      'has 40 free addresses, 42 may be needed',
    );
  });

  it('takes a bucket of the deployment for an update, and a foreign one for a problem', async () => {
    expect(exitStatusOf(await findings({ bucket: async () => known('own' as const) }))).toBe(0);
    expect(await only('bucket names', { bucket: async () => known('foreign' as const) })).toMatchObject([
      { outcome: 'problem' },
    ]);
  });

  it('names denied actions, and those that nothing was said about', async () => {
    const decisions = async (_: string, actions: readonly string[]) =>
      known(
        new Map(
          actions
            .filter((action) => action !== 'iam:PassRole' && action !== 's3:CreateBucket')
            .map((action) => [action, action === 'iam:CreateRole' ? ('denied' as const) : ('allowed' as const)]),
        ),
      );
    const [denied, unheard] = await only('permissions', { simulate: decisions });
    expect(denied).toMatchObject({
      outcome: 'problem',
      says: expect.stringContaining('actions are denied: iam:CreateRole'),
    });
    expect(unheard).toMatchObject({ outcome: 'unknown', says: expect.stringContaining('s3:CreateBucket') });
  });

  it('asks the simulator about the role of a session', async () => {
    const asked: string[] = [];
    await findings({
      simulate: async (principal, actions) => {
        asked.push(principal);
        return known(new Map(actions.map((action) => [action, 'allowed' as const])));
      },
    });
    expect(asked).toEqual(['arn:aws:iam::111122223333:role/deployer']);
  });

  it('believes the dry run of EC2, and looks for an imported boundary', async () => {
    const { network: _, ...created } = imported;
    expect(await only('permissions', { dryRunOfNetwork: async () => known('denied' as const) }, created)).toMatchObject(
      [{ outcome: 'problem' }],
    );
    expect((await only('permissions', { managedPolicy: async () => known('missing' as const) }))[0]!.says).toContain(
      'there is no policy',
    );
  });
});

describe('an answer of AWS', () => {
  const failed =
    (name: string, more: object = {}) =>
    async () => {
      throw Object.assign(new Error('because'), { name, ...more });
    };

  it.each([
    'AccessDeniedException',
    'UnauthorizedOperation',
    'ThrottlingException',
    'RequestLimitExceeded',
    'CredentialsProviderError',
    'TimeoutError',
    'IncompleteAnswer',
  ])('is unknown when it is %s', async (name) => {
    expect(await ask(failed(name))).toEqual({ known: false, why: `${name}: because` });
  });
  it('is unknown when nobody can be reached, by the code of the failure', async () => {
    expect(await ask(failed('Error', { code: 'ECONNREFUSED' }))).toEqual({
      known: false,
      why: 'ECONNREFUSED: because',
    });
  });
  it('is what the error means where it means something', async () => {
    expect(
      await ask(failed('NotFoundException'), (name) => (name === 'NotFoundException' ? 'missing' : undefined)),
    ).toEqual(known('missing'));
  });
  it('is unknown for any other error of a service', async () => {
    expect(await ask(failed('SomethingNewException', { $metadata: {} }))).toEqual({
      known: false,
      why: 'SomethingNewException: because',
    });
  });
  it('is not made of faults of this program', async () => {
    await expect(ask(failed('TypeError'))).rejects.toThrow('because');
  });
});

describe('a finding', () => {
  it('is printed with what to do', () => {
    expect(findingText({ check: 'zones', outcome: 'problem', says: 'wrong', fix: 'Do it.' })).toBe(
      'PROBLEM  zones: wrong\n           → Do it.',
    );
  });
});
