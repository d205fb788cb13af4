/** The questions of preflight and doctor, put to a really started emulator of AWS. What it cannot say has scripted answers elsewhere. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ACMClient, RequestCertificateCommand } from '@aws-sdk/client-acm';
import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { CloudTrailClient, CreateTrailCommand, StartLoggingCommand } from '@aws-sdk/client-cloudtrail';
import { CloudWatchClient, PutMetricAlarmCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { CreateSubnetCommand, CreateVpcCommand, EC2Client } from '@aws-sdk/client-ec2';
import { CreateRepositoryCommand, ECRClient, PutImageCommand } from '@aws-sdk/client-ecr';
import {
  CreateClusterCommand,
  CreateServiceCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs';
import { CreatePolicyCommand, IAMClient } from '@aws-sdk/client-iam';
import { CreateKeyCommand, DisableKeyCommand, EnableKeyRotationCommand, KMSClient } from '@aws-sdk/client-kms';
import { CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { ThirdPartyServer } from '../../../data-plane/test/support/third-party-server.js';
import type { Answer } from '../../preflight/answer.js';
import type { AwsAccount } from '../../preflight/aws-account.js';
import { awsSdkAccount } from '../../preflight/aws-sdk-account.js';
import { awsSdkDeployment } from '../../preflight/doctor/aws-sdk-deployment.js';
import type { RunningDeployment } from '../../preflight/doctor/running-deployment.js';

const variable = 'TURSO_BYOC_TEST_MOTO';
const installed = process.env[variable];
const region = 'us-east-1';
const account = '123456789012';

async function value<T>(answer: Promise<Answer<T>>): Promise<T> {
  const given = await answer;
  if (!given.known) throw new Error(given.why);
  return given.value;
}

describe('AWS as the SDK sees it', () => {
  if (!installed) {
    it(`skipped: no emulator moto given (set ${variable}, see .ci/install-s3-servers)`, () => {
      process.stderr.write(`preflight on moto: skipped, set ${variable}\n`);
    });
    return;
  }
  let server: ThirdPartyServer;
  let aws: AwsAccount;
  let running: RunningDeployment;
  const before = { ...process.env };
  const options = { region };

  beforeAll(async () => {
    const script = fileURLToPath(new URL('../../../data-plane/test/s3/serial-moto.py', import.meta.url));
    server = await ThirdPartyServer.start('moto', ({ port }) => ({
      program: installed,
      arguments: [script, String(port)],
    }));
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: server.endpoint,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: region,
    });
    aws = awsSdkAccount(region);
    running = awsSdkDeployment(region);
  });

  afterAll(async () => {
    for (const name of ['AWS_ENDPOINT_URL', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_REGION']) {
      if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before[name];
    }
    await server.stop();
  });

  it('says whose credentials these are', async () => {
    expect(await value(aws.identity())).toMatchObject({ account });
  });

  it('names the zones', async () => {
    expect(await value(aws.zones())).toContainEqual({
      name: 'us-east-1a',
      id: expect.stringMatching(/^use1-az\d$/),
      available: true,
    });
  });

  it('reads limits and what is used of them', async () => {
    expect(await value(aws.quota('vpc', 'L-F678F1CE'))).toBeGreaterThan(0);
    const used = await value(aws.vpcCount());
    await new EC2Client(options).send(new CreateVpcCommand({ CidrBlock: '10.9.0.0/16' }));
    expect(await value(aws.vpcCount())).toBe(used + 1);
  });

  it('looks at certificates', async () => {
    const { CertificateArn } = await new ACMClient(options).send(
      new RequestCertificateCommand({
        DomainName: 'db.example.com',
        SubjectAlternativeNames: ['*.db.example.com'],
        ValidationMethod: 'DNS',
      }),
    );
    const found = await value(aws.certificate(CertificateArn!));
    expect(found).toMatchObject({ names: expect.arrayContaining(['db.example.com', '*.db.example.com']) });
    expect(
      await value(aws.certificate(CertificateArn!.replace(/[^/]+$/, '00000000-0000-0000-0000-000000000000'))),
    ).toBe('missing');
  });

  it('looks at hosted zones', async () => {
    const { HostedZone } = await new Route53Client(options).send(
      new CreateHostedZoneCommand({ Name: 'example.com', CallerReference: '1' }),
    );
    expect(await value(aws.hostedZone(HostedZone!.Id!.replace('/hostedzone/', '')))).toEqual({
      name: 'example.com',
      visibility: 'public',
    });
    expect(await value(aws.hostedZone('Z00000000000000000000'))).toBe('missing');
  });

  it('looks at keys and their states', async () => {
    const kms = new KMSClient(options);
    const { KeyMetadata } = await kms.send(
      new CreateKeyCommand({ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' }),
    );
    const arn = KeyMetadata!.Arn!;
    await kms.send(new EnableKeyRotationCommand({ KeyId: arn }));
    expect(await value(aws.key(arn))).toEqual({
      state: 'Enabled',
      usage: 'ENCRYPT_DECRYPT',
      spec: 'SYMMETRIC_DEFAULT',
      rotates: true,
    });
    await kms.send(new DisableKeyCommand({ KeyId: KeyMetadata!.KeyId! }));
    expect(await value(aws.key(arn))).toMatchObject({ state: 'Disabled' });
    expect(await value(aws.key(arn.replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000')))).toBe('missing');
  });

  it('looks for images', async () => {
    const ecr = new ECRClient(options);
    await ecr.send(new CreateRepositoryCommand({ repositoryName: 'turso-byoc/data-plane' }));
    const { image } = await ecr.send(
      new PutImageCommand({
        repositoryName: 'turso-byoc/data-plane',
        imageTag: 'x',
        imageManifest: JSON.stringify({
          schemaVersion: 2,
          mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
          config: { digest: 'sha256:1', size: 1 },
          layers: [],
        }),
      }),
    );
    const repository = { account, region, name: 'turso-byoc/data-plane' };
    expect(await value(aws.image(repository, image!.imageId!.imageDigest!))).toBe('present');
    expect(await value(aws.image(repository, `sha256:${'0'.repeat(64)}`))).toBe('missing');
    expect(await value(aws.image({ ...repository, name: 'nowhere' }, image!.imageId!.imageDigest!))).toBe('missing');
  });

  it('looks for buckets', async () => {
    expect(await value(aws.bucket('nobody-has-this'))).toBe('free');
    await new S3Client({ ...options, forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: 'this-is-ours' }));
    expect(await value(aws.bucket('this-is-ours'))).toBe('own');
  });

  it('looks at networks', async () => {
    const ec2 = new EC2Client(options);
    const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: '10.8.0.0/16' }));
    const { Subnet } = await ec2.send(
      new CreateSubnetCommand({ VpcId: Vpc!.VpcId!, CidrBlock: '10.8.1.0/24', AvailabilityZone: 'us-east-1b' }),
    );
    expect(await value(aws.subnets(Vpc!.VpcId!))).toEqual([
      { id: Subnet!.SubnetId, zone: 'us-east-1b', freeAddresses: expect.any(Number) },
    ]);
    expect(await value(aws.subnets('vpc-00000000000000000'))).toBe('missing');
  });

  it('takes the error of a dry run for a yes, and a simulator that is not there for nothing', async () => {
    expect(await value(aws.dryRunOfNetwork())).toBe('allowed');
    expect(await aws.simulate(`arn:aws:iam::${account}:role/x`, ['s3:CreateBucket'])).toMatchObject({ known: false });
  });

  it('looks for managed policies', async () => {
    const document = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
    });
    const { Policy } = await new IAMClient(options).send(
      new CreatePolicyCommand({ PolicyName: 'boundary', PolicyDocument: document }),
    );
    expect(await value(aws.managedPolicy(Policy!.Arn!))).toBe('present');
    expect(await value(aws.managedPolicy(`${Policy!.Arn!}-not`))).toBe('missing');
  });

  it('reads a deployed stack and what is in it', async () => {
    const template = {
      Resources: {
        Key: { Type: 'AWS::KMS::Key', Properties: { KeyPolicy: { Version: '2012-10-17', Statement: [] } } },
        Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'deployed-bucket' } },
        Group: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: '/deployed', RetentionInDays: 365 } },
      },
    };
    await new CloudFormationClient(options).send(
      new CreateStackCommand({ StackName: 'deployed', TemplateBody: JSON.stringify(template) }),
    );
    expect(await value(running.stack('deployed'))).toMatchObject({ status: 'CREATE_COMPLETE' });
    expect(await value(running.stack('never-deployed'))).toBe('missing');
    const resources = await value(running.resources('deployed'));
    expect(resources.map(({ type }) => type).sort()).toEqual([
      'AWS::KMS::Key',
      'AWS::Logs::LogGroup',
      'AWS::S3::Bucket',
    ]);
    // moto cannot describe a key that it made for CloudFormation: it answers with an error page, which is no answer.
    const key = resources.find(({ type }) => type === 'AWS::KMS::Key')!;
    expect(await running.key(key.physicalId)).toMatchObject({ known: false });
    expect(await value(running.bucket('deployed-bucket'))).toMatchObject({
      versioned: false,
      publicAccessBlocked: false,
      locked: false,
    });
    expect(await value(running.bucket('nobody-has-that'))).toBe('missing');
    expect(await value(running.logGroup('/deployed'))).toMatchObject({ retentionDays: 365 });
    expect(await value(running.logGroup('/never'))).toBe('missing');
  });

  it('reads services, alarms and trails', async () => {
    const ecs = new ECSClient(options);
    await ecs.send(new CreateClusterCommand({ clusterName: 'cluster' }));
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'node',
        containerDefinitions: [{ name: 'node', image: 'x', memory: 128 }],
      }),
    );
    await ecs.send(
      new CreateServiceCommand({ cluster: 'cluster', serviceName: 'nodes', taskDefinition: 'node', desiredCount: 2 }),
    );
    expect(await value(running.service('cluster', 'nodes'))).toMatchObject({ desired: 2 });
    expect(await value(running.service('cluster', 'others'))).toBe('missing');
    expect(await value(running.service('no-cluster', 'nodes'))).toBe('missing');

    const cloudWatch = new CloudWatchClient(options);
    await cloudWatch.send(
      new PutMetricAlarmCommand({
        AlarmName: 'lost',
        MetricName: 'm',
        Namespace: 'n',
        Statistic: 'Sum',
        Period: 60,
        EvaluationPeriods: 1,
        Threshold: 1,
        ComparisonOperator: 'GreaterThanThreshold',
      }),
    );
    await cloudWatch.send(new SetAlarmStateCommand({ AlarmName: 'lost', StateValue: 'ALARM', StateReason: 'tried' }));
    expect(await value(running.alarms(['lost', 'never']))).toEqual(new Map([['lost', 'ALARM']]));

    await new S3Client({ ...options, forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: 'trail-bucket' }));
    const trails = new CloudTrailClient(options);
    await trails.send(new CreateTrailCommand({ Name: 'trail', S3BucketName: 'trail-bucket' }));
    expect(await value(running.trail('trail'))).toMatchObject({ logging: false });
    await trails.send(new StartLoggingCommand({ Name: 'trail' }));
    expect(await value(running.trail('trail'))).toMatchObject({ logging: true });
    expect(await value(running.trail('other-trail'))).toBe('missing');
  });
});

describe('the health of a deployment', () => {
  const running = awsSdkDeployment(region);

  it('is the status of the answer, without following anywhere', async () => {
    const http = createServer((request, response) =>
      response.writeHead(request.url === '/health' ? 200 : 302, { location: '/health' }).end(),
    );
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = http.address() as AddressInfo;
      expect(await running.health(`http://127.0.0.1:${port}/health`)).toEqual({ known: true, value: 200 });
      expect(await running.health(`http://127.0.0.1:${port}/moved`)).toEqual({ known: true, value: 302 });
    } finally {
      await new Promise((resolve) => http.close(resolve));
    }
  });

  it('is unknown when nobody answers', async () => {
    expect(await running.health('http://127.0.0.1:1/health')).toMatchObject({
      known: false,
      why: expect.stringContaining('NetworkingError'),
    });
  });
});
