import { AnyPrincipal, Effect, PolicyDocument, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnBucketPolicy, CfnDirectoryBucket } from 'aws-cdk-lib/aws-s3express';
import { Construct } from 'constructs';
import { denyInsecureTransport, denyOtherAccounts } from './bucket-guard.js';
import type { DeploymentContext } from './deployment-context.js';
import { keepState } from './removal.js';

export interface GuardedDirectoryBucketProps {
  readonly context: DeploymentContext;
  readonly zoneId: string;
  /** It keeps this key for ever: S3 takes no other one for a directory bucket. */
  readonly keyArn: string;
  /** The roles that may open a session. */
  readonly roleArns: readonly string[];
}

/**
 * A directory bucket of S3 Express One Zone for the commit log. All reading and writing happens in a session, so that who may open
 * one, over TLS and under which key, is all that there is to guard.
 */
export class GuardedDirectoryBucket extends Construct {
  constructor(scope: Construct, id: string, props: GuardedDirectoryBucketProps) {
    super(scope, id);
    const { context, zoneId, keyArn } = props;
    const { names, configuration } = context;
    const bucket = new CfnDirectoryBucket(this, 'Bucket', {
      bucketName: names.directoryBucket(zoneId),
      dataRedundancy: 'SingleAvailabilityZone',
      locationName: zoneId,
      bucketEncryption: {
        serverSideEncryptionConfiguration: [
          {
            bucketKeyEnabled: true,
            serverSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: keyArn },
          },
        ],
      },
      lifecycleConfiguration: {
        rules: [{ id: 'leftovers', status: 'Enabled', abortIncompleteMultipartUpload: { daysAfterInitiation: 1 } }],
      },
    });
    keepState(bucket, context);
    const arn = names.directoryBucketArn(zoneId);
    const deny = (sid: string, conditions: Record<string, Record<string, unknown>>): PolicyStatement =>
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3express:CreateSession'],
        resources: [arn],
        conditions,
      });
    const keyHeader = 's3express:x-amz-server-side-encryption-aws-kms-key-id';
    const policy = new CfnBucketPolicy(this, 'Policy', {
      bucket: names.directoryBucket(zoneId),
      policyDocument: new PolicyDocument({
        statements: [
          ...denyInsecureTransport(arn, 's3express:*'),
          denyOtherAccounts(arn, configuration.account, 's3express:*'),
          // What is left of uploads is removed by S3 itself, in a session like any other.
          new PolicyStatement({
            sid: 'RemoveLeftovers',
            principals: [new ServicePrincipal('lifecycle.s3.amazonaws.com')],
            actions: ['s3express:CreateSession'],
            resources: [arn],
            conditions: { StringEquals: { 's3express:SessionMode': 'ReadWrite' } },
          }),
          deny('DenySessionsToOthers', {
            ArnNotEquals: { 'aws:PrincipalArn': [...props.roleArns] },
            BoolIfExists: { 'aws:PrincipalIsAWSService': 'false' },
          }),
          deny('DenyOtherKey', { Null: { [keyHeader]: 'false' }, StringNotEquals: { [keyHeader]: keyArn } }),
        ],
      }),
    });
    policy.addResourceDependency(bucket);
    keepState(policy, context);
  }
}
