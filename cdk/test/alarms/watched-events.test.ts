/** The rules over what CloudTrail and ECS report go off for each call that they are meant for, and for no other deployment's. */
import { IntrinsicFunctions } from '../../compliance/assembly/intrinsic-functions.js';
import { resourcesOf } from '../../compliance/assembly/synthesized-app.js';
import { DeploymentNames } from '../../config/deployment-names.js';
import { removeSynthesized, synthesizedExample } from '../support/synthesized-example.js';
import { matches } from './event-pattern.js';

const { app, configuration } = synthesizedExample('production');
const names = new DeploymentNames(configuration);
const functions = new IntrinsicFunctions(app);
const { account, region } = configuration;
afterAll(removeSynthesized);

const rules = resourcesOf(app, 'AWS::Events::Rule').map(({ stack, resource }) => ({
  name: functions.text(stack, resource.Properties?.['Name']).slice(names.prefix.length + 1),
  pattern: functions.resolve(stack, resource.Properties?.['EventPattern']),
  isOn: resource.Properties?.['State'] === 'ENABLED',
  targets: functions.resolve(stack, resource.Properties?.['Targets']) as readonly { readonly Arn: string }[],
}));
const gone = (event: object): string[] =>
  rules.filter(({ pattern }) => matches(pattern, event)).map(({ name }) => name);

/** A call as CloudTrail hands it to EventBridge. */
function called(service: string, eventName: string, detail: object = {}): object {
  return {
    version: '0',
    id: '6a7e8feb-b491-4cf7-a9f1-bf3703467718',
    'detail-type': 'AWS API Call via CloudTrail',
    source: `aws.${service}`,
    account,
    time: '2026-11-27T05:00:00Z',
    region,
    resources: [],
    detail: {
      eventVersion: '1.11',
      userIdentity: { type: 'AssumedRole', arn: `arn:aws:sts::${account}:assumed-role/admin/somebody` },
      eventSource: `${service}.amazonaws.com`,
      eventName,
      awsRegion: region,
      ...detail,
    },
  };
}
const keyArn = functions.namesOf(resourcesOf(app, 'AWS::KMS::Key')[0]!).arn;
const ofKey = (ARN: string): object => ({
  requestParameters: { keyId: ARN },
  resources: [
    { accountId: account, type: 'AWS::KMS::Alias', ARN: `arn:aws:kms:${region}:${account}:alias/other` },
    { accountId: account, type: 'AWS::KMS::Key', ARN },
  ],
});
const ofBucket = (bucketName: string): object => ({ requestParameters: { bucketName, Host: 's3.amazonaws.com' } });
const zoneLog = names.directoryBucket(names.directoryBucketZoneIds[0]!);

describe('watched events', () => {
  test.each([
    ...resourcesOf(app, 'AWS::KMS::Key').map((key) => [
      'key-endangered',
      `of ${key.logicalId}`,
      called('kms', 'ScheduleKeyDeletion', ofKey(functions.namesOf(key).arn)),
    ]),
    ...['DisableKey', 'PutKeyPolicy', 'DeleteAlias', 'DeleteImportedKeyMaterial'].map((call) => [
      'key-endangered',
      call,
      called('kms', call, ofKey(keyArn)),
    ]),
    ...(['data', 'control', 'audit'] as const).map((kind) => [
      'bucket-endangered',
      `the policy of ${kind}`,
      called('s3', 'PutBucketPolicy', ofBucket(names.bucket(kind))),
    ]),
    ...['DeleteBucket', 'PutBucketObjectLockConfiguration', 'PutBucketVersioning', 'DeleteBucketPublicAccessBlock'].map(
      (call) => ['bucket-endangered', call, called('s3', call, ofBucket(names.bucket('audit')))],
    ),
    ...['DeleteBucket', 'PutBucketPolicy', 'DeleteBucketPolicy', 'PutBucketEncryption'].map((call) => [
      'bucket-endangered',
      `${call} of the log in a zone`,
      called('s3express', call, ofBucket(zoneLog)),
    ]),
    ...['DeleteTrail', 'PutEventSelectors', 'StopLogging', 'UpdateTrail'].map((call) => [
      'trail-stopped',
      call,
      called('cloudtrail', call, { requestParameters: { name: names.trail } }),
    ]),
    [
      'emergency-role-used',
      'AssumeRole',
      called('sts', 'AssumeRole', { requestParameters: { roleArn: names.roleArn('emergency'), roleSessionName: 'x' } }),
    ],
    [
      'deployment-turned-back',
      'a failed deployment',
      {
        'detail-type': 'ECS Deployment State Change',
        source: 'aws.ecs',
        account,
        region,
        resources: [`arn:aws:ecs:${region}:${account}:service/${names.cluster}/data-node-use1-az4`],
        detail: { eventType: 'ERROR', eventName: 'SERVICE_DEPLOYMENT_FAILED', deploymentId: 'ecs-svc/123' },
      },
    ],
  ] as [string, string, object][])('%s goes off for %s', (name, _what, event) => {
    expect(gone(event)).toEqual([name]);
  });

  test.each([
    ['a key of somebody else', called('kms', 'DisableKey', ofKey(`arn:aws:kms:${region}:${account}:key/other`))],
    ['the use of a key', called('kms', 'Decrypt', ofKey(keyArn))],
    ['a bucket of somebody else', called('s3', 'PutBucketPolicy', ofBucket('other'))],
    ['a look at a bucket', called('s3', 'GetBucketPolicy', ofBucket(names.bucket('data')))],
    ['a look at the trail', called('cloudtrail', 'GetTrailStatus', { requestParameters: { name: names.trail } })],
    ['another role', called('sts', 'AssumeRole', { requestParameters: { roleArn: names.roleArn('data-node') } })],
    [
      'a deployment of another cluster',
      {
        'detail-type': 'ECS Deployment State Change',
        source: 'aws.ecs',
        resources: [`arn:aws:ecs:${region}:${account}:service/other/data-node`],
        detail: { eventName: 'SERVICE_DEPLOYMENT_FAILED' },
      },
    ],
  ] as [string, object][])('none goes off for %s', (_what, event) => {
    expect(gone(event)).toEqual([]);
  });

  it('reach people: each rule is on, and leads to the alarm topic', () => {
    expect(rules.map(({ name }) => name).sort()).toEqual(
      ['bucket-endangered', 'deployment-turned-back', 'emergency-role-used', 'key-endangered', 'trail-stopped'].sort(),
    );
    for (const { name, isOn, targets } of rules) {
      expect([name, isOn, targets.map(({ Arn }) => Arn)]).toEqual([
        name,
        true,
        [names.alarmTopicArn, ...configuration.alarms.topicArns],
      ]);
    }
  });
});
