/** The uses of keys: one statement of a key's policy for each, as narrow as the service's encryption context allows. */
import { AccountRootPrincipal, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { storePrefixes } from '../config/deployment-names.js';
import { allowLinkedRole, allowRoles } from './caller-statement.js';
import type { DeploymentContext } from './deployment-context.js';

/** The encryption context that a data node sends with every request about a data key (docs/keys.md); all four, nothing else. */
export const dataKeyContext = ['deployment', 'organization', 'group', 'database'] as const;

/** Actions of a data node on a key that wraps data keys. */
export const dataKeyActions = [
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:Decrypt',
  // A data key that its client gives back to the key service.
  'kms:Encrypt',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** That a request carries exactly the context of a data key. The same stands in the roles' own policies. */
export const dataKeyConditions = {
  'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': [...dataKeyContext] },
  Null: Object.fromEntries(dataKeyContext.map((name) => [`kms:EncryptionContext:${name}`, 'false'])),
};

/** Wrapping and unwrapping data keys, by data nodes; in an emergency by the emergency role. */
export function wrapsDataKeys(context: DeploymentContext): PolicyStatement {
  return allowRoles({
    sid: 'WrapDataKeys',
    actions: dataKeyActions,
    roleArns: [context.names.roleArn('data-node'), ...emergency(context)],
    conditions: dataKeyConditions,
  });
}

/** Encrypting the objects of a general purpose bucket, for roles, through S3 only; in an emergency for the emergency role. */
export function encryptsBucket(
  context: DeploymentContext,
  bucketArn: string,
  roleArns: readonly string[],
): PolicyStatement {
  return encryptsObjects(context, 'EncryptBucket', {
    bucketArn,
    of: '*',
    roleArns: [...roleArns, ...emergency(context)],
  });
}

/** Encrypting the audit log of the control plane, by it, through S3 only: beside the trail, under the trail's key. */
export function encryptsAuditLog(context: DeploymentContext): PolicyStatement {
  const { names } = context;
  return encryptsObjects(context, 'EncryptAuditLog', {
    bucketArn: names.bucketArn('audit'),
    of: `${storePrefixes.audit}/*`,
    roleArns: [names.roleArn('control-plane')],
  });
}

function encryptsObjects(
  { configuration }: DeploymentContext,
  sid: string,
  {
    bucketArn,
    of,
    roleArns,
  }: { readonly bucketArn: string; readonly of: string; readonly roleArns: readonly string[] },
): PolicyStatement {
  return allowRoles({
    sid,
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    roleArns,
    conditions: {
      StringEquals: { 'kms:ViaService': `s3.${configuration.region}.amazonaws.com` },
      StringLike: { 'kms:EncryptionContext:aws:s3:arn': [bucketArn, `${bucketArn}/${of}`] },
    },
  });
}

/**
 * Encrypting the objects of directory buckets, through S3 only: by data nodes, and by whoever makes such a bucket, of whom S3 demands
 * it when the key is set. A session, without which no object is read or written, is the bucket's own policy's to refuse.
 */
export function encryptsDirectoryBuckets({ configuration }: DeploymentContext): PolicyStatement {
  const { account, region } = configuration;
  return new PolicyStatement({
    sid: 'EncryptDirectoryBuckets',
    principals: [new AccountRootPrincipal()],
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    resources: ['*'],
    conditions: {
      StringEquals: {
        'kms:CallerAccount': account,
        'kms:ViaService': [`s3express.${region}.amazonaws.com`, `s3.${region}.amazonaws.com`],
      },
    },
  });
}

/**
 * Reading secrets, for the roles that start processes; making and rotating them, for whom IAM lets do that. Through Secrets Manager
 * only, and only the deployment's secrets.
 */
export function encryptsSecrets({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const { account, region } = configuration;
  const conditions = {
    StringEquals: { 'kms:ViaService': `secretsmanager.${region}.amazonaws.com` },
    StringLike: {
      'kms:EncryptionContext:SecretARN': `arn:${names.partition}:secretsmanager:${region}:${account}:secret:${names.secret('*')}`,
    },
  };
  return [
    allowRoles({
      sid: 'DecryptSecrets',
      actions: ['kms:Decrypt'],
      roleArns: [names.roleArn('data-node-start'), names.roleArn('control-plane-start')],
      conditions,
    }),
    new PolicyStatement({
      sid: 'StoreSecrets',
      principals: [new AccountRootPrincipal()],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions,
    }),
  ];
}

/** Encrypting the deployment's log groups, by CloudWatch Logs. */
export function encryptsLogGroups({ configuration, names }: DeploymentContext): PolicyStatement {
  const { region, account } = configuration;
  const groups = [`${names.logGroupPrefix}*`, `aws-waf-logs-${names.prefix}*`];
  return new PolicyStatement({
    sid: 'EncryptLogGroups',
    principals: [new ServicePrincipal(`logs.${region}.amazonaws.com`)],
    actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
    resources: ['*'],
    conditions: {
      ArnLike: {
        'kms:EncryptionContext:aws:logs:arn': groups.map(
          (group) => `arn:${names.partition}:logs:${region}:${account}:log-group:${group}`,
        ),
      },
    },
  });
}

/**
 * Encrypting the trail, by CloudTrail. Looking at the key carries no context, and a bucket that has a key of its own makes CloudTrail
 * decrypt that one.
 */
export function encryptsTrail({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const principals = [new ServicePrincipal('cloudtrail.amazonaws.com')];
  const ofTrail = { 'aws:SourceArn': names.trailArn };
  return [
    new PolicyStatement({
      sid: 'EncryptTrail',
      principals,
      actions: ['kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: {
        StringEquals: ofTrail,
        StringLike: {
          'kms:EncryptionContext:aws:cloudtrail:arn': `arn:${names.partition}:cloudtrail:*:${configuration.account}:trail/*`,
        },
      },
    }),
    new PolicyStatement({
      sid: 'CheckTrailKey',
      principals,
      actions: ['kms:Decrypt', 'kms:DescribeKey'],
      resources: ['*'],
      conditions: { StringEquals: ofTrail },
    }),
  ];
}

/** Reading the trail and the audit log out of their bucket, by the roles that the configuration names. */
export function readsAudit({ configuration }: DeploymentContext): readonly PolicyStatement[] {
  const { keys, region } = configuration;
  if (keys.auditorRoleArns.length === 0) return [];
  return [
    allowRoles({
      sid: 'ReadAudit',
      actions: ['kms:Decrypt'],
      roleArns: keys.auditorRoleArns,
      conditions: { StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` } },
    }),
  ];
}

/**
 * Publishing to the encrypted alarm topic, by CloudWatch alarms and EventBridge rules of this account, and, for instances that come and
 * go, by Auto Scaling. Requests of EventBridge carry nothing of whose rule it is: what can be said of them is for which topic.
 */
export function encryptsAlarms({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const { account, compute } = configuration;
  const actions = ['kms:Decrypt', 'kms:GenerateDataKey*'];
  const ofTopic = { StringEquals: { 'kms:EncryptionContext:aws:sns:topicArn': names.alarmTopicArn } };
  return [
    new PolicyStatement({
      sid: 'PublishAlarms',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions,
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': account } },
    }),
    new PolicyStatement({
      sid: 'PublishEvents',
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions,
      resources: ['*'],
      conditions: ofTopic,
    }),
    ...(compute.kind === 'ecs-ec2'
      ? [
          allowLinkedRole({
            sid: 'PublishInstances',
            actions,
            account,
            roleArn: names.autoScalingRoleArn,
            conditions: ofTopic,
          }),
        ]
      : []),
  ];
}

/** Encrypting snapshots and history of AWS Config, by Config. */
export function encryptsConfigHistory({ configuration }: DeploymentContext): PolicyStatement {
  return new PolicyStatement({
    sid: 'EncryptConfigHistory',
    principals: [new ServicePrincipal('config.amazonaws.com')],
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    resources: ['*'],
    conditions: { StringEquals: { 'aws:SourceAccount': configuration.account } },
  });
}

/** Encrypting the local disks of Fargate tasks in the deployment's cluster, by Fargate. */
export function encryptsFargateDisks({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const context = {
    'kms:EncryptionContext:aws:ecs:clusterAccount': configuration.account,
    'kms:EncryptionContext:aws:ecs:clusterName': names.cluster,
  };
  const principals = [new ServicePrincipal('fargate.amazonaws.com')];
  return [
    new PolicyStatement({
      sid: 'EncryptTaskDisks',
      principals,
      actions: ['kms:GenerateDataKeyWithoutPlaintext'],
      resources: ['*'],
      conditions: { StringEquals: context },
    }),
    new PolicyStatement({
      sid: 'GrantTaskDisks',
      principals,
      actions: ['kms:CreateGrant'],
      resources: ['*'],
      conditions: { StringEquals: context, 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Decrypt'] } },
    }),
  ];
}

/** What whoever starts instances asks of the key of their disks. */
const instanceDiskActions = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** Encrypting the disks of container instances, by the service-linked role of Auto Scaling that starts them. */
export function encryptsInstanceDisks({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const { account, region } = configuration;
  const roleArn = names.autoScalingRoleArn;
  return [
    allowLinkedRole({
      sid: 'EncryptInstanceDisks',
      actions: instanceDiskActions,
      account,
      roleArn,
      conditions: { StringEquals: { 'kms:ViaService': `ec2.${region}.amazonaws.com` } },
    }),
    allowLinkedRole({
      sid: 'GrantInstanceDisks',
      actions: ['kms:CreateGrant'],
      account,
      roleArn,
      conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    }),
  ];
}

/** Encrypting the disks of Kubernetes nodes, by the role of the cluster, whose own policy says the same. */
export function encryptsNodeDisks({ configuration, names }: DeploymentContext): readonly PolicyStatement[] {
  const roleArns = [names.roleArn('eks-cluster')];
  return [
    allowRoles({
      sid: 'EncryptInstanceDisks',
      actions: instanceDiskActions,
      roleArns,
      conditions: { StringEquals: { 'kms:ViaService': `ec2.${configuration.region}.amazonaws.com` } },
    }),
    allowRoles({
      sid: 'GrantInstanceDisks',
      actions: ['kms:CreateGrant'],
      roleArns,
      conditions: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
    }),
  ];
}

/**
 * Encrypting the secrets of a Kubernetes cluster, by EKS through grants that whoever makes the cluster gives it. The condition that a grant
 * is for a resource of AWS is not met by the creation of a cluster.
 */
export function encryptsCluster({ configuration }: DeploymentContext): PolicyStatement {
  return new PolicyStatement({
    sid: 'GrantCluster',
    principals: [new AccountRootPrincipal()],
    actions: ['kms:CreateGrant'],
    resources: ['*'],
    conditions: { StringEquals: { 'kms:ViaService': `eks.${configuration.region}.amazonaws.com` } },
  });
}

/** Signing tokens, by the control plane, with the one algorithm of the deployment's tokens. */
export function signsTokens({ names }: DeploymentContext): readonly PolicyStatement[] {
  const roleArns = [names.roleArn('control-plane')];
  return [
    allowRoles({
      sid: 'SignTokens',
      actions: ['kms:Sign'],
      roleArns,
      conditions: { StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' } },
    }),
    allowRoles({ sid: 'ReadPublicKey', actions: ['kms:GetPublicKey'], roleArns }),
  ];
}

/** The emergency role, where there is one. */
function emergency({ configuration, names }: DeploymentContext): readonly string[] {
  return configuration.emergency.enabled ? [names.roleArn('emergency')] : [];
}
