import type { CfnResource } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { PolicyDocument } from 'aws-cdk-lib/aws-iam';
import { CfnBucket, CfnBucketPolicy } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { BucketKind } from '../config/deployment-names.js';
import { denyInsecureTransport, denyOtherAccounts, denyOtherKeys } from './bucket-guard.js';
import type { DeploymentContext } from './deployment-context.js';
import { keepAlways, keepState } from './removal.js';

export interface GuardedBucketProps {
  readonly context: DeploymentContext;
  readonly kind: BucketKind;
  /** Where its access log goes. @default none */
  readonly accessLog?: GuardedBucket;
  /** Key of its objects. Undefined for the one bucket into which AWS can deliver only with keys of S3. */
  readonly keyArn?: string;
  /** Statements beside those that every bucket has. */
  readonly statements?: readonly PolicyStatement[];
  /** Days after which objects go. @default never */
  readonly expireAfterDays?: number;
  /** Days after which overwritten and deleted versions go. */
  readonly noncurrentDays: number;
  /** Days for which an object cannot be deleted. @default none */
  readonly lock?: { readonly days: number; readonly mode: 'governance' | 'compliance' };
}

/** Below this prefix of the access bucket are the server access logs of the others, each in a directory of its kind. */
export const accessLogRoot = 's3/';

/**
 * A general purpose bucket: versioned, not public, encrypted under one key, over TLS, for this account, with an access log, and
 * without leftovers of uploads.
 */
export class GuardedBucket extends Construct {
  readonly arn: string;
  readonly bucketName: string;

  constructor(scope: Construct, id: string, props: GuardedBucketProps) {
    super(scope, id);
    const { context, kind, keyArn, lock } = props;
    const { names, configuration } = context;
    const bucket = new CfnBucket(this, 'Bucket', {
      bucketName: names.bucket(kind),
      ownershipControls: { rules: [{ objectOwnership: 'BucketOwnerEnforced' }] },
      publicAccessBlockConfiguration: {
        blockPublicAcls: true,
        blockPublicPolicy: true,
        ignorePublicAcls: true,
        restrictPublicBuckets: true,
      },
      bucketEncryption: {
        serverSideEncryptionConfiguration: [
          keyArn === undefined
            ? { serverSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }
            : {
                bucketKeyEnabled: true,
                serverSideEncryptionByDefault: { sseAlgorithm: 'aws:kms', kmsMasterKeyId: keyArn },
              },
        ],
      },
      versioningConfiguration: { status: 'Enabled' },
      lifecycleConfiguration: {
        rules: [
          {
            id: 'leftovers',
            status: 'Enabled',
            abortIncompleteMultipartUpload: { daysAfterInitiation: 1 },
            noncurrentVersionExpiration: { noncurrentDays: props.noncurrentDays },
            ...(props.expireAfterDays === undefined
              ? { expiredObjectDeleteMarker: true }
              : { expirationInDays: props.expireAfterDays }),
          },
        ],
      },
      ...(props.accessLog !== undefined && {
        loggingConfiguration: {
          destinationBucketName: props.accessLog.bucketName,
          logFilePrefix: `${accessLogRoot}${kind}/`,
        },
      }),
      ...(lock !== undefined && {
        objectLockEnabled: true,
        objectLockConfiguration: {
          objectLockEnabled: 'Enabled',
          rule: { defaultRetention: { mode: lock.mode.toUpperCase(), days: lock.days } },
        },
      }),
    });
    const keep = (resource: CfnResource): void =>
      lock === undefined ? keepState(resource, context) : keepAlways(resource);
    keep(bucket);
    if (props.accessLog !== undefined) bucket.node.addDependency(props.accessLog);
    this.bucketName = names.bucket(kind);
    this.arn = names.bucketArn(kind);
    const policy = new CfnBucketPolicy(this, 'Policy', {
      bucket: this.bucketName,
      policyDocument: new PolicyDocument({
        statements: [
          ...denyInsecureTransport(this.arn),
          denyOtherAccounts(this.arn, configuration.account),
          ...(keyArn === undefined ? [] : denyOtherKeys(this.arn, keyArn)),
          ...(props.statements ?? []),
        ],
      }),
    });
    policy.addResourceDependency(bucket);
    keep(policy);
  }
}
