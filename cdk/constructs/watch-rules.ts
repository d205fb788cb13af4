import { CfnRule } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { runbookUrl } from '../config/runbooks.js';
import type { DeploymentContext } from './deployment-context.js';

type EventPattern = Readonly<Record<string, unknown>>;

interface WatchedEvent {
  readonly name: string;
  readonly meaning: string;
  readonly pattern: EventPattern;
}

/**
 * What must never happen unseen, reported within seconds: a key is disabled or about to be deleted, a bucket loses what guards
 * it, somebody becomes the emergency role, a deployment was turned back. CloudTrail's management events carry all of it.
 */
export class WatchRules extends Construct {
  constructor(
    scope: Construct,
    id: string,
    private readonly context: DeploymentContext,
    keyArns: readonly string[],
  ) {
    super(scope, id);
    for (const event of watchedEvents(context, keyArns)) this.rule(event);
  }

  private rule({ name, meaning, pattern }: WatchedEvent): void {
    const { names, configuration } = this.context;
    const message = `${names.prefix}: ${meaning} Runbook: ${runbookUrl(configuration, name)}`;
    new CfnRule(this, name, {
      name: `${names.prefix}-${name}`,
      description: meaning,
      state: 'ENABLED',
      eventPattern: pattern,
      targets: [names.alarmTopicArn, ...configuration.alarms.topicArns].map((arn, index) => ({
        id: `topic${index}`,
        arn,
        inputTransformer: {
          inputPathsMap: { time: '$.time', event: '$.detail.eventName', who: '$.detail.userIdentity.arn' },
          inputTemplate: JSON.stringify(`${message} Event: <event> by <who> at <time>.`),
        },
      })),
    });
  }
}

/** Calls that take a guard of a bucket away or put another in its place, by the names that CloudTrail has for them. */
const changesOfBuckets = [
  'DeleteBucket',
  'DeleteBucketEncryption',
  'DeleteBucketLifecycle',
  'DeleteBucketOwnershipControls',
  'DeleteBucketPolicy',
  'DeleteBucketPublicAccessBlock',
  'PutBucketAcl',
  'PutBucketEncryption',
  'PutBucketLifecycle',
  'PutBucketLifecycleConfiguration',
  'PutBucketObjectLockConfiguration',
  'PutBucketOwnershipControls',
  'PutBucketPolicy',
  'PutBucketPublicAccessBlock',
  'PutBucketReplication',
  'PutBucketVersioning',
];

function watchedEvents(
  { names, configuration }: DeploymentContext,
  keyArns: readonly string[],
): readonly WatchedEvent[] {
  const calls = (
    services: readonly string[],
    eventNames: readonly string[],
    requestParameters?: object,
  ): EventPattern => ({
    source: services.map((service) => `aws.${service}`),
    'detail-type': ['AWS API Call via CloudTrail'],
    detail: { eventName: eventNames, ...(requestParameters !== undefined && { requestParameters }) },
  });
  const zoneIds = names.directoryBucketZoneIds;
  const kinds = ['data', 'control', 'audit', ...(zoneIds.length === 0 ? (['log'] as const) : [])] as const;
  const buckets = [
    ...kinds.map((kind) => names.bucket(kind)),
    ...zoneIds.map((zoneId) => names.directoryBucket(zoneId)),
  ];
  return [
    {
      name: 'key-endangered',
      meaning: 'A key of the deployment is disabled, about to be deleted, or has another policy.',
      pattern: {
        source: ['aws.kms'],
        'detail-type': ['AWS API Call via CloudTrail'],
        detail: {
          eventName: ['DisableKey', 'ScheduleKeyDeletion', 'PutKeyPolicy', 'DeleteAlias', 'DeleteImportedKeyMaterial'],
          resources: { ARN: [...keyArns] },
        },
      },
    },
    {
      name: 'bucket-endangered',
      meaning: 'A bucket of the deployment is gone, or what guards it was changed.',
      pattern: calls(zoneIds.length === 0 ? ['s3'] : ['s3', 's3express'], changesOfBuckets, { bucketName: buckets }),
    },
    {
      name: 'trail-stopped',
      meaning: 'The audit trail was stopped or changed.',
      pattern: calls(['cloudtrail'], ['DeleteTrail', 'PutEventSelectors', 'StopLogging', 'UpdateTrail']),
    },
    {
      name: 'deployment-turned-back',
      meaning: 'ECS could not roll out a new version and went back.',
      pattern: {
        source: ['aws.ecs'],
        'detail-type': ['ECS Deployment State Change'],
        detail: { eventName: ['SERVICE_DEPLOYMENT_FAILED'] },
        resources: [
          {
            prefix: `arn:${names.partition}:ecs:${configuration.region}:${configuration.account}:service/${names.cluster}/`,
          },
        ],
      },
    },
    ...(configuration.emergency.enabled
      ? [
          {
            name: 'emergency-role-used',
            meaning: 'Somebody became the emergency role, which reads and writes data.',
            pattern: calls(['sts'], ['AssumeRole'], { roleArn: [names.roleArn('emergency')] }),
          },
        ]
      : []),
  ];
}
