/** Random valid configurations: every alternative and every optional setting, put together in ways that the rules allow. */
import fc from 'fast-check';
import type {
  DeploymentConfiguration,
  ExposureConfiguration,
  NetworkConfiguration,
  ZoneConfiguration,
} from '@turso-byoc/cdk/config/deployment-configuration.js';
import { problemsOf } from '@turso-byoc/cdk/config/validate-configuration.js';

const account = '111122223333';
const other = '444455556666';
const digest = `sha256:${'ab'.repeat(32)}`;

interface Region {
  readonly name: string;
  readonly partition: string;
  readonly zones: readonly ZoneConfiguration[];
}

const region = (name: string, code: string, partition = 'aws'): Region => ({
  name,
  partition,
  zones: ['a', 'b', 'c'].map((letter, index) => ({ name: `${name}${letter}`, id: `${code}-az${index + 1}` })),
});

const regions = [
  region('us-east-1', 'use1'),
  region('eu-central-1', 'euc1'),
  region('ap-southeast-2', 'apse2'),
  region('us-gov-west-1', 'usgw1', 'aws-us-gov'),
];

const log = (zones: readonly ZoneConfiguration[]): fc.Arbitrary<DeploymentConfiguration['log']> =>
  fc.oneof(
    fc.constant({ kind: 'standard' } as const),
    fc.constantFrom(...zones).map(({ id }) => ({ kind: 'express' as const, zoneId: id })),
    ...(zones.length === 3 ? [fc.constant({ kind: 'express-quorum' } as const)] : []),
  );

const compute: fc.Arbitrary<DeploymentConfiguration['compute']> = fc.oneof(
  fc.record({ kind: fc.constant('ecs-fargate' as const), architecture: fc.constantFrom('arm64', 'x86_64') }),
  fc.constantFrom(
    { kind: 'ecs-ec2', instanceType: 'm7gd.2xlarge', architecture: 'arm64' } as const,
    { kind: 'ecs-ec2', instanceType: 'm7i.2xlarge', architecture: 'x86_64' } as const,
    { kind: 'ecs-ec2' } as const,
  ),
  fc.record({
    kind: fc.constant('eks' as const),
    version: fc.constantFrom('1.32', '1.33'),
    administratorRoleArns: fc.constantFrom([], [`arn:aws:iam::${account}:role/platform`]),
  }),
);

const key = ({ name, partition }: Region): fc.Arbitrary<{ kind: 'create' } | { kind: 'import'; arn: string }> =>
  fc.oneof(
    fc.constant({ kind: 'create' } as const),
    fc.constantFrom(account, other).map((of) => ({
      kind: 'import' as const,
      arn: `arn:${partition}:kms:${name}:${of}:key/0b0c0d0e-1111-2222-3333-444455556666`,
    })),
  );

const network = (zones: readonly ZoneConfiguration[]): fc.Arbitrary<NetworkConfiguration> => {
  const subnets = (of: string) =>
    zones.map(({ name }, index) => ({
      zone: name,
      subnetId: `subnet-0123456789abc${of}${index}`,
      routeTableId: `rtb-0123456789abc${of}${index}`,
    }));
  return fc.oneof(
    fc.record({
      kind: fc.constant('create' as const),
      cidr: fc.constantFrom('10.0.0.0/16', '172.20.0.0/20', '10.9.8.0/22'),
    }),
    fc.record({
      kind: fc.constant('import' as const),
      vpcId: fc.constant('vpc-0123456789abcdef0'),
      cidr: fc.constant('10.20.0.0/16'),
      subnets: fc.constant(subnets('a')),
      publicSubnets: fc.constant(subnets('b')),
      endpoints: fc.constantFrom('create', 'present'),
    }),
  );
};

const exposure: fc.Arbitrary<ExposureConfiguration> = fc.oneof(
  fc.record({
    kind: fc.constant('private' as const),
    allowedCidrs: fc.constantFrom([], ['10.0.0.0/8', '192.168.0.0/16']),
  }),
  fc.record({ kind: fc.constant('public' as const), allowedCidrs: fc.constantFrom(['0.0.0.0/0'], ['203.0.113.0/24']) }),
  fc.record({
    kind: fc.constant('privatelink' as const),
    allowedPrincipalArns: fc.constant([`arn:aws:iam::${other}:root`]),
    acceptanceRequired: fc.boolean(),
  }),
);

function configurationIn(where: Region): fc.Arbitrary<DeploymentConfiguration> {
  const { name, partition } = where;
  const arn = (service: string, resource: string): string =>
    `arn:${partition}:${service}:${name}:${account}:${resource}`;
  const iam = (resource: string): string => `arn:${partition}:iam::${account}:${resource}`;
  return fc
    .record({ zoneCount: fc.constantFrom(2, 3, 3), removalProtection: fc.boolean(), airGapped: fc.boolean() })
    .chain(({ zoneCount, removalProtection, airGapped }) => {
      const zones = where.zones.slice(0, zoneCount);
      const image = (of: string): string => `${account}.dkr.ecr.${name}.amazonaws.com/turso-byoc/${of}@${digest}`;
      return fc.record({
        name: fc.stringMatching(/^[a-z][a-z0-9]{1,8}$/),
        account: fc.constant(account),
        region: fc.constant(name),
        zones: fc.constant(zones),
        compute,
        dataNodes: fc.record({
          cpuUnits: fc.constantFrom(1024, 2048),
          memoryMiB: fc.constantFrom(4096, 8192),
          cacheGiB: fc.integer({ min: 21, max: 200 }),
          minimum: fc.integer({ min: 1, max: 9 }),
          maximum: fc.integer({ min: 9, max: 60 }),
          commitWindowMs: fc.integer({ min: 0, max: 100 }),
          drainDelaySeconds: fc.integer({ min: 10, max: 60 }),
        }),
        controlPlane: fc.record({ count: fc.integer({ min: 1, max: 4 }) }),
        network: network(zones),
        exposure,
        domain: fc.record({
          name: fc.constantFrom('db.example.com', 'example.com'),
          certificate: fc.constantFrom(
            { kind: 'import', arn: arn('acm', 'certificate/0b0c0d0e-1111-2222-3333-444455556666') } as const,
            { kind: 'create' } as const,
          ),
          dns: fc.constantFrom(
            { kind: 'none' } as const,
            { kind: 'create-private' } as const,
            {
              kind: 'hosted-zone',
              hostedZoneId: 'Z0123456789ABC',
              zoneName: 'example.com',
              visibility: 'public',
            } as const,
            {
              kind: 'hosted-zone',
              hostedZoneId: 'Z0123456789ABC',
              zoneName: 'example.com',
              visibility: 'private',
            } as const,
          ),
        }),
        log: log(zones),
        keys: fc.record({
          databases: key(where),
          groups: fc.uniqueArray(fc.record({ group: fc.constantFrom('payments', 'eu', 'a1'), key: key(where) }), {
            maxLength: 3,
            selector: ({ group }) => group,
          }),
          administratorRoleArns: fc.constantFrom([], [iam('role/key-administrator')]),
          auditorRoleArns: fc.constantFrom([], [iam('role/auditor')]),
          deletionWindowDays: fc.integer({ min: 7, max: 30 }),
        }),
        tokens: fc.record({ signingKey: fc.constantFrom('kms', 'secret') }),
        retention: fc.record({
          pointInTimeDays: fc.integer({ min: 1, max: 400 }),
          undeleteDays: fc.integer({ min: 0, max: 30 }),
          auditDays: fc.constantFrom(1, 365, 2192),
          auditLock: fc.constantFrom('governance', 'compliance'),
          logDays: fc.constantFrom(30, 365, 2192),
        }),
        alarms: fc.record({
          emailAddresses: fc.constantFrom([], ['on-call@example.com']),
          topicArns: fc.constantFrom([], [arn('sns', 'on-call')]),
        }),
        permissionsBoundary: fc.constantFrom(
          { kind: 'create' } as const,
          { kind: 'import', policyArn: iam('policy/company-boundary') } as const,
        ),
        emergency: fc.constantFrom({ enabled: false }, { enabled: true, principalArns: [iam('role/on-call')] }),
        compliance: fc.record({
          trail: fc.constantFrom('create', 'present'),
          configRecorder: fc.constantFrom('create', 'present', 'off'),
          conformancePacks: fc.constantFrom([], [{ name: 'nist-800-53-r5', template: 's3://packs/nist.yaml' }]),
        }),
        images: fc.constant({ dataPlane: image('data-plane'), controlPlane: image('control-plane') }),
        egress: fc.constantFrom(
          { kind: 'off' } as const,
          { kind: 'allow-list', hosts: ['login.example.com'] } as const,
        ),
        traces: fc.constantFrom(
          { kind: 'off' } as const,
          { kind: 'collector', endpoint: 'http://collector.internal:4318', cidrs: ['10.80.0.0/24'] } as const,
        ),
        airGapped: fc.constant(airGapped),
        trustedAccounts: fc.constant([other]),
        tags: fc.dictionary(fc.constantFrom('team', 'environment', 'cost-center'), fc.constantFrom('a', 'b c')),
        removalProtection: fc.constant(removalProtection),
      });
    });
}

/** A random configuration that passes every rule. */
export const randomConfiguration: fc.Arbitrary<DeploymentConfiguration> = fc
  .constantFrom(...regions)
  .chain(configurationIn)
  .filter((configuration) => problemsOf(configuration).length === 0);
