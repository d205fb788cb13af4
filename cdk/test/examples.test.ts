import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { violations } from '../compliance/template-properties.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { deployment as airGapped } from '../examples/air-gapped.js';
import { deployment as dev } from '../examples/dev.js';
import { deployment as eks } from '../examples/eks.js';
import { deployment as importVpc } from '../examples/import-vpc.js';
import { deployment as production } from '../examples/production.js';
import type { SynthesizedStack, TemplateResource } from '../stacks/synthesize.js';
import { exampleNames, runCommand, synthesizeExamples, type SynthesizedExamples } from './synthesized-examples.js';

const configurations = { 'air-gapped': airGapped, dev, eks, 'import-vpc': importVpc, production };

let examples: SynthesizedExamples;
beforeAll(async () => {
  examples = await synthesizeExamples();
}, 900_000);
afterAll(() => rm(examples.directory, { recursive: true, force: true }));

const stacksOf = (name: string): readonly SynthesizedStack[] => examples.stacks.get(name)!;
const resources = (name: string, type: string): readonly TemplateResource[] =>
  stacksOf(name).flatMap(({ template }) => Object.values(template.Resources).filter(({ Type }) => Type === type));

describe('every example', () => {
  it.each(exampleNames)('%s is synthesized without credentials and without an unacknowledged finding', (name) => {
    expect(examples.output).toMatch(new RegExp(`^${name}: \\d+ stacks in .* 0 findings$`, 'm'));
  });

  it.each(exampleNames)('%s keeps what every deployment keeps', (name) => {
    expect(violations(validateConfiguration(configurations[name]), stacksOf(name))).toEqual([]);
  });

  it.each(exampleNames)('%s has templates that CloudFormation takes: at most a megabyte and 500 resources', (name) => {
    for (const { template } of stacksOf(name)) {
      expect(JSON.stringify(template).length).toBeLessThan(1_000_000);
      expect(Object.keys(template.Resources).length).toBeLessThan(500);
    }
  });

  it.each(exampleNames)('%s has managed policies that IAM takes: at most 6144 characters', (name) => {
    for (const { Properties } of resources(name, 'AWS::IAM::ManagedPolicy')) {
      expect(JSON.stringify(Properties!['PolicyDocument']).length).toBeLessThan(6_144);
    }
  });
});

describe('the data plane', () => {
  it('is one service in the network with a regional log, one in the zone of a zonal log, one in each of three zones', () => {
    const subnets = (name: string): number[] =>
      resources(name, 'AWS::ECS::Service')
        .filter(({ Properties }) => String(Properties!['ServiceName']).startsWith('data-node'))
        .map(({ Properties }) => (Properties as any).NetworkConfiguration.AwsvpcConfiguration.Subnets.length);
    expect(subnets('dev')).toEqual([2]);
    expect(subnets('import-vpc')).toEqual([1]);
    expect(subnets('production')).toEqual([1, 1, 1]);
  });

  it('gives a node longer to stop than it takes to drain', () => {
    const [task] = resources('production', 'AWS::ECS::TaskDefinition');
    const [container] = (task!.Properties as any).ContainerDefinitions;
    const drainMs = container.Environment.find(({ Name }: any) => Name === 'TURSO_BYOC_DRAIN_DELAY_MS').Value;
    expect(container.StopTimeout).toBeGreaterThanOrEqual(Number(drainMs) / 1000 + 15);
    expect(container.StopTimeout).toBeLessThanOrEqual(120);
  });

  it('turns a deployment back by circuit breaker and by alarm', () => {
    for (const { Properties } of resources('production', 'AWS::ECS::Service')) {
      expect((Properties as any).DeploymentConfiguration).toMatchObject({
        MinimumHealthyPercent: 100,
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        Alarms: { Enable: true, Rollback: true, AlarmNames: [expect.anything()] },
      });
    }
  });
});

describe('the commit log', () => {
  it('is in a directory bucket for each zone of a log in three zones, by zone id', () => {
    const locations = resources('production', 'AWS::S3Express::DirectoryBucket').map(
      ({ Properties }) => Properties!['LocationName'],
    );
    expect(locations).toEqual(['use1-az4', 'use1-az5', 'use1-az6']);
  });

  it('has its accesses in the trail', () => {
    const [trail] = resources('production', 'AWS::CloudTrail::Trail');
    expect(JSON.stringify(trail!.Properties!['AdvancedEventSelectors'])).toContain('AWS::S3Express::Object');
  });
});

describe('every alarm and every watched event', () => {
  it.each(exampleNames)('of %s says what it means, tells somebody, and has a runbook', async (name) => {
    const runbooks = (await readdir(new URL('../../docs/runbooks', import.meta.url))).map((file) => file.slice(0, -3));
    const alarms = resources(name, 'AWS::CloudWatch::Alarm');
    // On Kubernetes the load balancer's only: Prometheus has the others.
    expect(alarms.length).toBeGreaterThan(name === 'eks' ? 3 : 20);
    for (const { Properties } of alarms) {
      expect(Properties!['AlarmDescription']).toMatch(
        /^[A-Z].+ Severity: (critical|warning)\. Runbook: .+\/[a-z0-9-]+\.md$/,
      );
      expect(runbooks).toContain(/([a-z0-9-]+)\.md$/.exec(String(Properties!['AlarmDescription']))?.[1]);
      expect(Properties!['AlarmActions']).toEqual(expect.arrayContaining([expect.stringMatching(/-alarms$/)]));
    }
    const rules = resources(name, 'AWS::Events::Rule');
    expect(rules.length).toBeGreaterThan(3);
    for (const { Properties } of rules) {
      const target = (Properties as any).Targets[0];
      expect(target.Arn).toMatch(/-alarms$/);
      expect(runbooks).toContain(/([a-z-]+)\.md Event/.exec(target.InputTransformer.InputTemplate)?.[1]);
    }
  });
});

describe('a deployment that is not public', () => {
  it.each(['dev', 'import-vpc', 'air-gapped', 'eks'])(
    '%s has no gateway to the internet and no route to one',
    (name) => {
      for (const type of ['InternetGateway', 'NatGateway', 'Route'])
        expect(resources(name, `AWS::EC2::${type}`)).toEqual([]);
    },
  );
});

/** For each property a change that breaks it in the templates of `production`. */
const breaks: readonly (readonly [property: string, type: string, (resource: any) => void])[] = [
  ['buckets deny plain HTTP', 'AWS::S3::BucketPolicy', (r) => r.Properties.PolicyDocument.Statement.shift()],
  [
    'buckets deny plain HTTP',
    'AWS::S3Express::BucketPolicy',
    (r) => (r.Properties.PolicyDocument.Statement[0].Effect = 'Allow'),
  ],
  ['buckets deny wrong keys', 'AWS::S3Express::BucketPolicy', (r) => r.Properties.PolicyDocument.Statement.pop()],
  [
    'buckets are not public',
    'AWS::S3::Bucket',
    (r) => (r.Properties.PublicAccessBlockConfiguration.BlockPublicAcls = false),
  ],
  [
    'everything at rest is encrypted with a customer key',
    'AWS::S3Express::DirectoryBucket',
    (r) => delete r.Properties.BucketEncryption,
  ],
  ['everything at rest is encrypted with a customer key', 'AWS::Logs::LogGroup', (r) => delete r.Properties.KmsKeyId],
  ['keys that encrypt are rotated', 'AWS::KMS::Key', (r) => (r.Properties.EnableKeyRotation = false)],
  [
    'administration and use of keys are apart',
    'AWS::KMS::Key',
    (r) => r.Properties.KeyPolicy.Statement[0].Action.push('kms:Decrypt'),
  ],
  [
    'load balancers face the internet only if exposure is public',
    'AWS::ElasticLoadBalancingV2::LoadBalancer',
    (r) => (r.Properties.Scheme = 'internal'),
  ],
  [
    'no route leads from data nodes to the internet',
    'AWS::EC2::Route',
    (r) => (r.Properties.RouteTableId = { Ref: 'NetworkRoutesnodesuseast1a12345678' }),
  ],
  ['every role has the boundary', 'AWS::IAM::Role', (r) => delete r.Properties.PermissionsBoundary],
  [
    'no role passes or assumes another one',
    'AWS::IAM::ManagedPolicy',
    (r) =>
      r.Properties.PolicyDocument.Statement.push({ Effect: 'Allow', Action: 'iam:PassRole', Resource: '*', Sid: 'X' }),
  ],
  [
    'roles are assumed by services, or by those that are configured',
    'AWS::IAM::Role',
    (r) => (r.Properties.AssumeRolePolicyDocument.Statement[0].Principal = { AWS: 'arn:aws:iam::111122223333:root' }),
  ],
  [
    'nobody outside the account is let in but those that are configured',
    'AWS::S3::BucketPolicy',
    (r) => (r.Properties.PolicyDocument.Statement[0].Principal = { AWS: 'arn:aws:iam::999988887777:root' }),
  ],
  ['everything is tagged', 'AWS::KMS::Key', (r) => delete r.Properties.Tags],
  ['what holds state is retained', 'AWS::S3::Bucket', (r) => (r.DeletionPolicy = 'Delete')],
  [
    'containers are not root, cannot write, and are named by digest',
    'AWS::ECS::TaskDefinition',
    (r) => (r.Properties.ContainerDefinitions[0].ReadonlyRootFilesystem = false),
  ],
];

describe('a template that breaks a property is found', () => {
  const broken = (name: 'production' | 'dev', type: string, change: (resource: any) => void): readonly string[] => {
    const stacks: SynthesizedStack[] = structuredClone([...stacksOf(name)]);
    const victim = stacks
      .flatMap(({ template }) => Object.values(template.Resources))
      .find(({ Type, Properties }) => Type === type && !isBoundary(Properties));
    change(victim);
    return violations(validateConfiguration(configurations[name]), stacks).map(({ property }) => property);
  };
  const isBoundary = (properties: any): boolean => String(properties?.ManagedPolicyName ?? '').endsWith('-boundary');

  it.each(breaks)('%s (%s)', (property, type, change) => {
    expect(broken('production', type, change)).toContain(property);
  });

  it('nothing is open to the world unless exposure is public', () => {
    expect(broken('dev', 'AWS::EC2::SecurityGroupIngress', (r) => (r.Properties.CidrIp = '0.0.0.0/0'))).toContain(
      'nothing is open to the world unless exposure is public',
    );
  });

  it('there is a way to the internet only for public exposure or egress', () => {
    expect(broken('dev', 'AWS::EC2::VPC', (r) => (r.Type = 'AWS::EC2::InternetGateway'))).toContain(
      'there is a way to the internet only for public exposure or egress',
    );
  });

  it('stacks are protected from termination', () => {
    const unprotected = stacksOf('production').map((stack) => ({ ...stack, terminationProtection: false }));
    const found = violations(validateConfiguration(production), unprotected);
    expect(found).toHaveLength(unprotected.length);
  });
});

describe('npm run diff', () => {
  it('puts what changes in rights, network and retention first, and ends with 2 when data can be lost', async () => {
    const changed = join(examples.directory, 'changed.json');
    await writeFile(
      changed,
      JSON.stringify({
        ...production,
        exposure: { kind: 'private' },
        domain: { ...production.domain, dns: { ...production.domain.dns, visibility: 'public' } },
        retention: { ...production.retention, pointInTimeDays: 7 },
        emergency: { enabled: false },
      }),
    );
    const { stdout } = await runCommand('dist/bin/diff.js', ['production', changed]);
    expect(stdout).toMatch(
      /^Rights[\s\S]*Emergency[\s\S]*\nNetwork: [\s\S]*\nRetention[\s\S]*HISTORY_DAYS: 90 → 7[\s\S]*\nEverything else/,
    );

    await writeFile(changed, JSON.stringify({ ...production, removalProtection: false }));
    await expect(runCommand('dist/bin/diff.js', ['production', changed])).rejects.toMatchObject({
      code: 2,
      stdout: expect.stringMatching(/^DATA CAN BE LOST:\n {2}changed foundation\//),
    });
  });
});
