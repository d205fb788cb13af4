import { ACMClient, DescribeCertificateCommand } from '@aws-sdk/client-acm';
import {
  CreateVpcCommand,
  DescribeAvailabilityZonesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { BatchGetImageCommand, ECRClient } from '@aws-sdk/client-ecr';
import { GetPolicyCommand, IAMClient, SimulatePrincipalPolicyCommand } from '@aws-sdk/client-iam';
import { DescribeKeyCommand, GetKeyRotationStatusCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  ServiceQuotasClient,
} from '@aws-sdk/client-service-quotas';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { ask, IncompleteAnswer, type Answer } from './answer.js';
import type { AwsAccount, Decision, ImageRepository } from './aws-account.js';

/** Actions that the simulator takes in one request. */
const actionsPerRequest = 100;

/** Questions put to AWS, with the credentials that the SDK finds; `AWS_ENDPOINT_URL` leads them to an emulator. */
export function awsSdkAccount(region: string): AwsAccount {
  const configuration = { region, maxAttempts: 3 };
  const acm = new ACMClient(configuration);
  const ec2 = new EC2Client(configuration);
  const iam = new IAMClient(configuration);
  const kms = new KMSClient(configuration);
  const quotas = new ServiceQuotasClient(configuration);
  const route53 = new Route53Client(configuration);
  const s3 = new S3Client({ ...configuration, forcePathStyle: process.env['AWS_ENDPOINT_URL'] !== undefined });
  const sts = new STSClient(configuration);

  return {
    identity: () =>
      ask(async () => {
        const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
        return { account: given(Account), arn: given(Arn) };
      }),

    zones: () =>
      ask(async () => {
        const { AvailabilityZones } = await ec2.send(
          new DescribeAvailabilityZonesCommand({ AllAvailabilityZones: true }),
        );
        return (AvailabilityZones ?? []).map((zone) => ({
          name: given(zone.ZoneName),
          id: given(zone.ZoneId),
          available: zone.State === 'available' && zone.OptInStatus !== 'not-opted-in',
        }));
      }),

    async quota(service, code) {
      const request = { ServiceCode: service, QuotaCode: code };
      const applied = await ask<number | 'default', 'default'>(
        async () => (await quotas.send(new GetServiceQuotaCommand(request))).Quota?.Value ?? 'default',
        (error) => (error === 'NoSuchResourceException' ? 'default' : undefined),
      );
      if (!applied.known) return applied;
      if (applied.value !== 'default') return { known: true, value: applied.value };
      return ask(async () => given((await quotas.send(new GetAWSDefaultServiceQuotaCommand(request))).Quota?.Value));
    },

    vpcCount: () => ask(async () => (await ec2.send(new DescribeVpcsCommand({}))).Vpcs?.length ?? 0),

    certificate: (arn) =>
      ask(
        async () => {
          const { Certificate } = await acm.send(new DescribeCertificateCommand({ CertificateArn: arn }));
          return {
            status: given(Certificate?.Status),
            names: Certificate?.SubjectAlternativeNames ?? (Certificate?.DomainName ? [Certificate.DomainName] : []),
            expires: Certificate?.NotAfter,
          };
        },
        (error) => (error === 'ResourceNotFoundException' ? ('missing' as const) : undefined),
      ),

    hostedZone: (id) =>
      ask(
        async () => {
          const { HostedZone } = await route53.send(new GetHostedZoneCommand({ Id: id }));
          const visibility = HostedZone?.Config?.PrivateZone === true ? ('private' as const) : ('public' as const);
          return { name: given(HostedZone?.Name).replace(/\.$/, ''), visibility };
        },
        (error) => (error === 'NoSuchHostedZone' ? ('missing' as const) : undefined),
      ),

    key: (arn) =>
      ask(
        async () => {
          const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: arn }));
          const rotation = await ask(
            async () => (await kms.send(new GetKeyRotationStatusCommand({ KeyId: arn }))).KeyRotationEnabled,
          );
          return {
            state: given(KeyMetadata?.KeyState),
            usage: given(KeyMetadata?.KeyUsage),
            spec: given(KeyMetadata?.KeySpec),
            rotates: rotation.known ? rotation.value : undefined,
          };
        },
        (error) => (error === 'NotFoundException' ? ('missing' as const) : undefined),
      ),

    image: (repository, digest) => imageAnswer(repository, digest),

    bucket: (name) =>
      ask<'own', 'free' | 'foreign'>(
        async () => {
          await s3.send(new HeadBucketCommand({ Bucket: name }));
          return 'own';
        },
        (error) =>
          (
            ({ NotFound: 'free', NoSuchBucket: 'free', '404': 'free', Forbidden: 'foreign', '403': 'foreign' }) as const
          )[error],
      ),

    subnets: (vpcId) =>
      ask(
        async () => {
          await ec2.send(new DescribeVpcsCommand({ VpcIds: [vpcId] }));
          const filter = { Name: 'vpc-id', Values: [vpcId] };
          const { Subnets } = await ec2.send(new DescribeSubnetsCommand({ Filters: [filter] }));
          return (Subnets ?? []).map((subnet) => ({
            id: given(subnet.SubnetId),
            zone: given(subnet.AvailabilityZone),
            freeAddresses: subnet.AvailableIpAddressCount ?? 0,
          }));
        },
        (error) => (error === 'InvalidVpcID.NotFound' ? ('missing' as const) : undefined),
      ),

    simulate: (principalArn, actions) =>
      ask(async () => {
        const decisions = new Map<string, Decision>();
        for (let start = 0; start < actions.length; start += actionsPerRequest) {
          let marker: string | undefined;
          do {
            const page = await iam.send(
              new SimulatePrincipalPolicyCommand({
                PolicySourceArn: principalArn,
                ActionNames: actions.slice(start, start + actionsPerRequest),
                ...(marker !== undefined && { Marker: marker }),
              }),
            );
            for (const { EvalActionName, EvalDecision } of page.EvaluationResults ?? []) {
              decisions.set(given(EvalActionName), EvalDecision === 'allowed' ? 'allowed' : 'denied');
            }
            marker = page.IsTruncated === true ? page.Marker : undefined;
          } while (marker !== undefined);
        }
        return decisions;
      }),

    // The dry run of EC2 answers with an error in either case.
    dryRunOfNetwork: () =>
      ask<Decision, Decision>(
        async () => {
          await ec2.send(new CreateVpcCommand({ CidrBlock: '10.0.0.0/16', DryRun: true }));
          return 'allowed';
        },
        (error) => (({ DryRunOperation: 'allowed', UnauthorizedOperation: 'denied' }) as const)[error],
      ),

    managedPolicy: (arn) =>
      ask<'present', 'missing'>(
        async () => {
          await iam.send(new GetPolicyCommand({ PolicyArn: arn }));
          return 'present';
        },
        (error) => (error === 'NoSuchEntityException' || error === 'NoSuchEntity' ? 'missing' : undefined),
      ),
  };
}

function imageAnswer(
  { account, region, name }: ImageRepository,
  digest: string,
): Promise<Answer<'present' | 'missing'>> {
  const ecr = new ECRClient({ region, maxAttempts: 3 });
  return ask<'present' | 'missing', 'missing'>(
    async () => {
      const { images } = await ecr.send(
        new BatchGetImageCommand({ registryId: account, repositoryName: name, imageIds: [{ imageDigest: digest }] }),
      );
      return (images ?? []).length > 0 ? 'present' : 'missing';
    },
    (error) => (error === 'RepositoryNotFoundException' || error === 'ImageNotFoundException' ? 'missing' : undefined),
  );
}

/** @throws IncompleteAnswer when AWS, or an emulator, left out what its interface promises. */
function given<T>(value: T | undefined): T {
  if (value === undefined) throw new IncompleteAnswer();
  return value;
}
