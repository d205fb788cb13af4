import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { storePrefixes } from '../config/deployment-names.js';
import { AlarmTopic } from '../constructs/alarm-topic.js';
import { denyObjectsToOthers, denyOverwriting, denyWritesToOthers } from '../constructs/bucket-guard.js';
import { DeploymentKey } from '../constructs/deployment-key.js';
import { stackProps, type DeploymentContext } from '../constructs/deployment-context.js';
import { EmergencyRole } from '../constructs/emergency-role.js';
import { accessLogRoot, GuardedBucket } from '../constructs/guarded-bucket.js';
import { GuardedDirectoryBucket } from '../constructs/guarded-directory-bucket.js';
import {
  encryptsAlarms,
  encryptsAuditLog,
  encryptsBucket,
  encryptsCluster,
  encryptsConfigHistory,
  encryptsDirectoryBuckets,
  encryptsFargateDisks,
  encryptsInstanceDisks,
  encryptsNodeDisks,
  readsAudit,
  encryptsLogGroups,
  encryptsSecrets,
  encryptsTrail,
  signsTokens,
  wrapsDataKeys,
} from '../constructs/key-uses.js';
import { permissionsBoundary } from '../constructs/permissions-boundary.js';
import { keepState } from '../constructs/removal.js';

/** Days for which overwritten and deleted versions of stored objects can be brought back. */
const noncurrentDays = 7;

/** ARNs of the keys, by what they encrypt. */
export interface FoundationKeys {
  /** Data keys of databases, unless another key was named. */
  readonly databases: string;
  /** Data keys of groups. */
  readonly groups: readonly string[];
  readonly data: string;
  readonly log: string;
  /** The control bucket and the secrets. */
  readonly control: string;
  /** The trail, the control plane's audit log, log groups and alarms. */
  readonly audit: string;
  /** Local disks of tasks and instances. */
  readonly disks: string;
  /** Signs tokens; undefined where a secret does. */
  readonly signing: string | undefined;
}

/**
 * What holds data, or the way to it: keys, buckets, secrets, and the boundary of all roles. It depends on nothing, outlives
 * everything, and stays when its stack is removed.
 */
export class FoundationStack extends Stack {
  readonly keys: FoundationKeys;
  readonly adminCredentialArn: string;
  /** The seed of the token signing key; undefined where KMS has the key. */
  readonly signingKeySecretArn: string | undefined;

  constructor(
    scope: Construct,
    private readonly context: DeploymentContext,
  ) {
    super(scope, 'foundation', stackProps(context, 'foundation'));
    const { configuration } = context;
    const boundary =
      configuration.permissionsBoundary.kind === 'create' ? permissionsBoundary(this, context) : undefined;
    this.keys = this.makeKeys();
    this.makeBuckets();
    this.adminCredentialArn = this.makeSecret('AdminCredential', 'admin-credential', {
      passwordLength: 48,
      excludePunctuation: true,
    });
    this.signingKeySecretArn =
      configuration.tokens.signingKey === 'kms'
        ? undefined
        : this.makeSecret('SigningKeySeed', 'signing-key-seed', {
            passwordLength: 64,
            excludePunctuation: true,
            excludeUppercase: true,
            excludeCharacters: 'ghijklmnopqrstuvwxyz',
            requireEachIncludedType: false,
          });
    new AlarmTopic(this, 'AlarmTopic', context, this.keys.audit);
    if (configuration.emergency.enabled) {
      const emergency = new EmergencyRole(this, 'Emergency', {
        context,
        storeKeyArns: [this.keys.data, this.keys.log, this.keys.control],
        dataKeyKeyArns: [this.keys.databases, ...this.keys.groups],
      });
      // It is named in the role by ARN, which CloudFormation does not take for a dependency.
      if (boundary !== undefined) emergency.node.addDependency(boundary);
    }
  }

  private makeKeys(): FoundationKeys {
    const { context } = this;
    const { names, configuration } = context;
    const dataNode = [names.roleArn('data-node')];
    const key = (
      id: string,
      purpose: string,
      description: string,
      uses: readonly PolicyStatement[],
      outlives = false,
    ): string => new DeploymentKey(this, id, { context, purpose, description, uses, outlives }).arn;
    const { databases, groups } = configuration.keys;
    return {
      databases:
        databases.kind === 'import'
          ? databases.arn
          : key('DatabasesKey', 'databases', 'wraps the data keys of databases', [wrapsDataKeys(context)]),
      groups: groups.map((group) =>
        group.key.kind === 'import'
          ? group.key.arn
          : key(`GroupKey-${group.group}`, `group/${group.group}`, `wraps the data keys of group ${group.group}`, [
              wrapsDataKeys(context),
            ]),
      ),
      data: key('DataKey', 'data', 'encrypts the data bucket', [
        encryptsBucket(context, names.bucketArn('data'), dataNode),
      ]),
      log: key('LogKey', 'log', 'encrypts the log bucket', [
        names.directoryBucketZoneIds.length === 0
          ? encryptsBucket(context, names.bucketArn('log'), dataNode)
          : encryptsDirectoryBuckets(context),
      ]),
      control: key('ControlKey', 'control', 'encrypts the control bucket and the secrets', [
        encryptsBucket(context, names.bucketArn('control'), [...dataNode, names.roleArn('control-plane')]),
        ...encryptsSecrets(context),
      ]),
      audit: key(
        'AuditKey',
        'audit',
        'encrypts trail, audit log, logs and alarms',
        [
          encryptsLogGroups(context),
          ...encryptsTrail(context),
          encryptsAuditLog(context),
          ...encryptsAlarms(context),
          ...readsAudit(context),
          encryptsConfigHistory(context),
        ],
        true,
      ),
      disks: key('DisksKey', 'disks', 'encrypts local disks', this.diskUses()),
      signing:
        configuration.tokens.signingKey === 'kms'
          ? new DeploymentKey(this, 'SigningKey', {
              context,
              purpose: 'signing',
              description: 'signs tokens',
              uses: signsTokens(context),
              signing: true,
            }).arn
          : undefined,
    };
  }

  private diskUses(): readonly PolicyStatement[] {
    switch (this.context.configuration.compute.kind) {
      case 'ecs-fargate':
        return encryptsFargateDisks(this.context);
      case 'ecs-ec2':
        return encryptsInstanceDisks(this.context);
      case 'eks':
        return [...encryptsNodeDisks(this.context), encryptsCluster(this.context)];
    }
  }

  private makeBuckets(): void {
    const { context, keys } = this;
    const { names, configuration } = context;
    const { retention } = configuration;
    const emergency = configuration.emergency.enabled ? [names.roleArn('emergency')] : [];
    const dataNode = [names.roleArn('data-node'), ...emergency];
    const access = new GuardedBucket(this, 'AccessBucket', {
      context,
      kind: 'access',
      noncurrentDays,
      expireAfterDays: retention.logDays,
      statements: accessLogDelivery(context),
    });
    new GuardedBucket(this, 'AuditBucket', {
      context,
      accessLog: access,
      kind: 'audit',
      keyArn: keys.audit,
      noncurrentDays: retention.auditDays,
      lock: { days: retention.auditDays, mode: retention.auditLock },
      statements: [...trailDelivery(context), ...appendedByControlPlane(context)],
    });
    if (configuration.compliance.configRecorder === 'create') {
      // Config does not deliver into a bucket whose objects are locked.
      new GuardedBucket(this, 'ConfigBucket', {
        context,
        accessLog: access,
        kind: 'config',
        keyArn: keys.audit,
        noncurrentDays: retention.auditDays,
        statements: configDelivery(context),
      });
    }
    new GuardedBucket(this, 'DataBucket', {
      context,
      accessLog: access,
      kind: 'data',
      keyArn: keys.data,
      noncurrentDays,
      statements: [denyObjectsToOthers(names.bucketArn('data'), dataNode)],
    });
    new GuardedBucket(this, 'ControlBucket', {
      context,
      accessLog: access,
      kind: 'control',
      keyArn: keys.control,
      noncurrentDays,
      statements: [denyObjectsToOthers(names.bucketArn('control'), [...dataNode, names.roleArn('control-plane')])],
    });
    if (names.directoryBucketZoneIds.length === 0) {
      new GuardedBucket(this, 'LogBucket', {
        context,
        accessLog: access,
        kind: 'log',
        keyArn: keys.log,
        noncurrentDays,
        statements: [denyObjectsToOthers(names.bucketArn('log'), dataNode)],
      });
    }
    for (const zoneId of names.directoryBucketZoneIds) {
      new GuardedDirectoryBucket(this, `LogBucket-${zoneId}`, {
        context,
        zoneId,
        keyArn: keys.log,
        roleArns: dataNode,
      });
    }
  }

  private makeSecret(
    id: string,
    of: string,
    generateSecretString: Omit<CfnSecret.GenerateSecretStringProperty, 'generateStringKey'>,
  ): string {
    const secret = new CfnSecret(this, id, {
      name: this.context.names.secret(of),
      description: `${this.context.names.prefix}: ${of}`,
      kmsKeyId: this.keys.control,
      generateSecretString,
    });
    keepState(secret, this.context);
    return secret.ref;
  }
}

/** S3 and load balancers deliver their access logs, each below a prefix of its own. */
function accessLogDelivery({ names, configuration }: DeploymentContext): readonly PolicyStatement[] {
  const bucket = names.bucketArn('access');
  const logged = (['data', 'control', 'log', 'audit', 'config'] as const).map((kind) => names.bucketArn(kind));
  return [
    new PolicyStatement({
      sid: 'ServerAccessLogs',
      principals: [new ServicePrincipal('logging.s3.amazonaws.com')],
      actions: ['s3:PutObject'],
      resources: [`${bucket}/${accessLogRoot}*`],
      conditions: {
        ArnLike: { 'aws:SourceArn': logged },
        StringEquals: { 'aws:SourceAccount': configuration.account },
      },
    }),
    new PolicyStatement({
      sid: 'LoadBalancerLogs',
      principals: [new ServicePrincipal('logdelivery.elasticloadbalancing.amazonaws.com')],
      actions: ['s3:PutObject'],
      // The account in the name is that of the load balancer: the service writes it, and carries nothing else of whose it is.
      resources: [`${bucket}/load-balancer/AWSLogs/${configuration.account}/*`],
    }),
  ];
}

/** CloudTrail delivers the deployment's trail, and nobody another one. */
function trailDelivery({ names, configuration }: DeploymentContext): readonly PolicyStatement[] {
  const bucket = names.bucketArn('audit');
  const principals = [new ServicePrincipal('cloudtrail.amazonaws.com')];
  const ofTrail = { 'aws:SourceArn': names.trailArn };
  return [
    new PolicyStatement({
      sid: 'TrailCheck',
      principals,
      actions: ['s3:GetBucketAcl'],
      resources: [bucket],
      conditions: { StringEquals: ofTrail },
    }),
    new PolicyStatement({
      sid: 'TrailDelivery',
      principals,
      actions: ['s3:PutObject'],
      resources: [`${bucket}/AWSLogs/${configuration.account}/*`],
      conditions: { StringEquals: ofTrail },
    }),
  ];
}

/** The control plane adds to its audit log, nobody else does, and nobody writes over what is there. */
function appendedByControlPlane({ names }: DeploymentContext): readonly PolicyStatement[] {
  const objects = `${names.bucketArn('audit')}/${storePrefixes.audit}/*`;
  return [denyWritesToOthers(objects, [names.roleArn('control-plane')]), denyOverwriting(objects)];
}

/** AWS Config delivers the history of this account. */
function configDelivery({ names, configuration }: DeploymentContext): readonly PolicyStatement[] {
  const bucket = names.bucketArn('config');
  const principals = [new ServicePrincipal('config.amazonaws.com')];
  const conditions = { StringEquals: { 'aws:SourceAccount': configuration.account } };
  return [
    new PolicyStatement({
      sid: 'ConfigCheck',
      principals,
      actions: ['s3:GetBucketAcl', 's3:ListBucket'],
      resources: [bucket],
      conditions,
    }),
    new PolicyStatement({
      sid: 'ConfigDelivery',
      principals,
      actions: ['s3:PutObject'],
      resources: [`${bucket}/AWSLogs/${configuration.account}/Config/*`],
      conditions,
    }),
  ];
}
