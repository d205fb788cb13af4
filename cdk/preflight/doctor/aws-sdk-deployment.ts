import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { CloudTrailClient, GetTrailStatusCommand } from '@aws-sdk/client-cloudtrail';
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { DescribeServicesCommand, ECSClient } from '@aws-sdk/client-ecs';
import {
  GetBucketEncryptionCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  GetPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { ask } from '../answer.js';
import { awsSdkAccount } from '../aws-sdk-account.js';
import type { RunningDeployment } from './running-deployment.js';

/** Alarm names that CloudWatch takes in one request. */
const alarmsPerRequest = 100;
const healthTimeoutMs = 5_000;

/** As `awsSdkAccount`, about what is deployed. */
export function awsSdkDeployment(region: string): RunningDeployment {
  const configuration = { region, maxAttempts: 3 };
  const account = awsSdkAccount(region);
  const cloudFormation = new CloudFormationClient(configuration);
  const cloudTrail = new CloudTrailClient(configuration);
  const cloudWatch = new CloudWatchClient(configuration);
  const logs = new CloudWatchLogsClient(configuration);
  const ecs = new ECSClient(configuration);
  const s3 = new S3Client({ ...configuration, forcePathStyle: process.env['AWS_ENDPOINT_URL'] !== undefined });

  return {
    identity: () => account.identity(),
    key: (id) => account.key(id),

    stack: (name) =>
      ask(
        async () => {
          const stack = (await cloudFormation.send(new DescribeStacksCommand({ StackName: name }))).Stacks?.[0];
          return stack === undefined
            ? ('missing' as const)
            : {
                status: stack.StackStatus ?? 'unknown',
                terminationProtected: stack.EnableTerminationProtection === true,
                updated: stack.LastUpdatedTime ?? stack.CreationTime,
              };
        },
        // CloudFormation has no error of its own for a stack that is not there.
        (error) => (error === 'ValidationError' ? ('missing' as const) : undefined),
      ),

    resources: (stack) =>
      ask(async () => {
        const { StackResources } = await cloudFormation.send(new DescribeStackResourcesCommand({ StackName: stack }));
        return (StackResources ?? []).map((resource) => ({
          logicalId: resource.LogicalResourceId ?? '',
          type: resource.ResourceType ?? '',
          physicalId: resource.PhysicalResourceId ?? '',
          status: resource.ResourceStatus ?? '',
        }));
      }),

    service: (cluster, service) =>
      ask(
        async () => {
          const { services } = await ecs.send(new DescribeServicesCommand({ cluster, services: [service] }));
          const found = services?.find(({ status }) => status !== 'INACTIVE');
          return found === undefined
            ? ('missing' as const)
            : {
                desired: found.desiredCount ?? 0,
                running: found.runningCount ?? 0,
                rollout: found.deployments?.find(({ status }) => status === 'PRIMARY')?.rolloutState,
              };
        },
        (error) =>
          error === 'ClusterNotFoundException' || error === 'ServiceNotFoundException'
            ? ('missing' as const)
            : undefined,
      ),

    alarms: (names) =>
      ask(async () => {
        const states = new Map<string, string>();
        for (let start = 0; start < names.length; start += alarmsPerRequest) {
          const { MetricAlarms, CompositeAlarms } = await cloudWatch.send(
            new DescribeAlarmsCommand({
              AlarmNames: names.slice(start, start + alarmsPerRequest),
              AlarmTypes: ['MetricAlarm', 'CompositeAlarm'],
              MaxRecords: alarmsPerRequest,
            }),
          );
          for (const { AlarmName, StateValue } of [...(MetricAlarms ?? []), ...(CompositeAlarms ?? [])]) {
            if (AlarmName !== undefined) states.set(AlarmName, StateValue ?? 'INSUFFICIENT_DATA');
          }
        }
        return states;
      }),

    trail: (name) =>
      ask(
        async () => {
          const { IsLogging, LatestDeliveryError } = await cloudTrail.send(new GetTrailStatusCommand({ Name: name }));
          return { logging: IsLogging === true, deliveryError: LatestDeliveryError || undefined };
        },
        (error) => (error === 'TrailNotFoundException' ? ('missing' as const) : undefined),
      ),

    bucket: (name) =>
      ask(
        async () => {
          const request = { Bucket: name };
          const encryption = await s3.send(new GetBucketEncryptionCommand(request));
          const versioning = await s3.send(new GetBucketVersioningCommand(request));
          const block = await absentAs(undefined, 'NoSuchPublicAccessBlockConfiguration', async () =>
            s3.send(new GetPublicAccessBlockCommand(request)),
          );
          const lock = await absentAs(undefined, 'ObjectLockConfigurationNotFoundError', async () =>
            s3.send(new GetObjectLockConfigurationCommand(request)),
          );
          const access = block?.PublicAccessBlockConfiguration;
          return {
            keyArn:
              encryption.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault
                ?.KMSMasterKeyID,
            versioned: versioning.Status === 'Enabled',
            publicAccessBlocked: [
              access?.BlockPublicAcls,
              access?.BlockPublicPolicy,
              access?.IgnorePublicAcls,
              access?.RestrictPublicBuckets,
            ].every((flag) => flag === true),
            locked: lock?.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled',
          };
        },
        (error) =>
          error === 'NoSuchBucket'
            ? ('missing' as const)
            : error === 'ServerSideEncryptionConfigurationNotFoundError'
              ? { keyArn: undefined, versioned: false, publicAccessBlocked: false, locked: false }
              : undefined,
      ),

    logGroup: (name) =>
      ask(async () => {
        const { logGroups } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name }));
        const group = logGroups?.find(({ logGroupName }) => logGroupName === name);
        return group === undefined
          ? ('missing' as const)
          : { retentionDays: group.retentionInDays, keyArn: group.kmsKeyId };
      }),

    health: (url) =>
      ask(async () => {
        try {
          const answer = await fetch(url, { signal: AbortSignal.timeout(healthTimeoutMs), redirect: 'manual' });
          await answer.body?.cancel();
          return answer.status;
        } catch (error) {
          throw unreachable(error);
        }
      }),
  };
}

/** fetch hides why it failed in the cause. */
function unreachable(error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return Object.assign(new Error(message), { name: 'NetworkingError' });
}

async function absentAs<T, D>(value: D, errorName: string, read: () => Promise<T>): Promise<T | D> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && error.name === errorName) return value;
    throw error;
  }
}
