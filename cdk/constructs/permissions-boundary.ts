import { Effect, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { storePrefixes } from '../config/deployment-names.js';
import type { DeploymentContext } from './deployment-context.js';

/**
 * The most that any role of the deployment can ever do, whatever is attached to it later: use what is the deployment's, and nothing
 * in IAM, Organizations or with other roles.
 */
export function permissionsBoundary(scope: Construct, context: DeploymentContext): ManagedPolicy {
  const { names, configuration } = context;
  const { account, region, trustedAccounts, compute } = configuration;
  const arn = (service: string, resource: string, of = account): string =>
    `arn:${names.partition}:${service}:${region}:${of}:${resource}`;
  const buckets = (['data', 'log', 'control'] as const).map((kind) => names.bucketArn(kind));
  const statements = [
    new PolicyStatement({
      sid: 'Objects',
      actions: [
        's3:AbortMultipartUpload',
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        's3:GetObject',
        's3:GetObjectVersion',
        's3:ListBucket',
        's3:ListBucketVersions',
        's3:PutObject',
      ],
      resources: buckets.flatMap((bucket) => [bucket, `${bucket}/*`]),
    }),
    new PolicyStatement({
      sid: 'AuditLog',
      actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
      resources: [names.bucketArn('audit'), `${names.bucketArn('audit')}/${storePrefixes.audit}/*`],
    }),
    ...(names.directoryBucketZoneIds.length === 0
      ? []
      : [
          new PolicyStatement({
            sid: 'Sessions',
            actions: ['s3express:CreateSession'],
            resources: names.directoryBucketZoneIds.map((zoneId) => names.directoryBucketArn(zoneId)),
          }),
        ]),
    new PolicyStatement({
      sid: 'Keys',
      actions: [
        'kms:Decrypt',
        'kms:DescribeKey',
        'kms:Encrypt',
        'kms:GenerateDataKey',
        'kms:GenerateDataKeyWithoutPlaintext',
        'kms:GetPublicKey',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
        'kms:Sign',
      ],
      resources: [account, ...trustedAccounts].map((of) => arn('kms', 'key/*', of)),
    }),
    new PolicyStatement({
      sid: 'Secrets',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [arn('secretsmanager', `secret:${names.secret('')}*`)],
    }),
    new PolicyStatement({
      sid: 'Logs',
      actions: ['logs:CreateLogStream', 'logs:DescribeLogGroups', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      resources: [arn('logs', `log-group:${names.logGroupPrefix}*`)],
    }),
    new PolicyStatement({
      sid: 'Images',
      actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      resources: [account, ...trustedAccounts].map((of) => arn('ecr', 'repository/*', of)),
    }),
    new PolicyStatement({
      sid: 'ImageRegistry',
      actions: ['ecr:GetAuthorizationToken'],
      resources: ['*'],
    }),
    ...(compute.kind === 'ecs-ec2' ? instanceAgent(context) : []),
    ...(compute.kind === 'eks' ? clusterService(region) : []),
    new PolicyStatement({
      sid: 'NoWayOut',
      effect: Effect.DENY,
      actions: [
        'account:*',
        'iam:AddUserToGroup',
        'iam:Attach*',
        'iam:Create*Key',
        'iam:CreatePolicy*',
        'iam:CreateRole',
        'iam:CreateUser',
        'iam:Delete*',
        'iam:Put*',
        'iam:UpdateAssumeRolePolicy',
        'kms:CreateKey',
        'kms:DisableKey',
        'kms:PutKeyPolicy',
        'kms:ScheduleKeyDeletion',
        'organizations:*',
        's3:DeleteBucket',
        's3:DeleteBucketPolicy',
        's3:PutBucketPolicy',
        'sts:AssumeRole',
      ],
      resources: ['*'],
    }),
  ];
  return new ManagedPolicy(scope, 'Boundary', {
    managedPolicyName: names.boundary,
    description: `The most that a role of ${names.prefix} can do`,
    statements,
  });
}

/** What the ECS agent of a container instance asks for. */
export function instanceAgent({ names, configuration }: DeploymentContext): readonly PolicyStatement[] {
  const { account, region } = configuration;
  return [
    new PolicyStatement({
      sid: 'ContainerAgent',
      actions: [
        'ecs:DeregisterContainerInstance',
        'ecs:Poll',
        'ecs:RegisterContainerInstance',
        'ecs:StartTelemetrySession',
        'ecs:SubmitAttachmentStateChanges',
        'ecs:SubmitContainerStateChange',
        'ecs:SubmitTaskStateChange',
        'ecs:UpdateContainerInstancesState',
      ],
      resources: ['cluster', 'container-instance', 'task'].map(
        (kind) =>
          `arn:${names.partition}:ecs:${region}:${account}:${kind}/${names.cluster}${kind === 'cluster' ? '' : '/*'}`,
      ),
    }),
    // AWS knows no resource for it.
    new PolicyStatement({ sid: 'AgentEndpoint', actions: ['ecs:DiscoverPollEndpoint'], resources: ['*'] }),
  ];
}

/** Services that EKS Auto Mode works with; only roles of the cluster have policies for them. */
export const eksBoundaryActions = ['ec2:*', 'ecr:*', 'eks:*', 'elasticloadbalancing:*'] as const;

/** What EKS Auto Mode does with instances, networks and load balancers on behalf of the cluster; its roles' policies are narrower. */
function clusterService(region: string): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'Cluster',
      actions: [...eksBoundaryActions, 'eks-auth:AssumeRoleForPodIdentity'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:RequestedRegion': region } },
    }),
    new PolicyStatement({
      sid: 'ClusterInstanceProfiles',
      actions: [
        'iam:AddRoleToInstanceProfile',
        'iam:CreateInstanceProfile',
        'iam:GetInstanceProfile',
        'iam:PassRole',
        'iam:RemoveRoleFromInstanceProfile',
        'iam:TagInstanceProfile',
      ],
      resources: ['*'],
    }),
  ];
}
