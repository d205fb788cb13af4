/** What every bucket refuses, whoever asks: statements that deny, for a bucket's policy. */
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';

/** Requests without TLS, or with a version before 1.2. */
export function denyInsecureTransport(bucketArn: string, actions = 's3:*'): readonly PolicyStatement[] {
  const common = {
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: [actions],
    resources: actions === 's3:*' ? [bucketArn, `${bucketArn}/*`] : [bucketArn],
  };
  return [
    new PolicyStatement({
      ...common,
      sid: 'DenyInsecureTransport',
      conditions: { Bool: { 'aws:SecureTransport': 'false' } },
    }),
    ...(actions === 's3:*'
      ? [
          new PolicyStatement({
            ...common,
            sid: 'DenyOldTls',
            conditions: { NumericLessThan: { 's3:TlsVersion': '1.2' } },
          }),
        ]
      : []),
  ];
}

/** Callers of other accounts. Services of AWS, which have none, are let in by statements of their own. */
export function denyOtherAccounts(bucketArn: string, account: string, actions = 's3:*'): PolicyStatement {
  return new PolicyStatement({
    sid: 'DenyOtherAccounts',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: [actions],
    resources: actions === 's3:*' ? [bucketArn, `${bucketArn}/*`] : [bucketArn],
    conditions: {
      StringNotEquals: { 'aws:PrincipalAccount': account },
      BoolIfExists: { 'aws:PrincipalIsAWSService': 'false' },
    },
  });
}

/** Objects under another key than the bucket's, or under none. What names no key gets the bucket's. */
export function denyOtherKeys(bucketArn: string, keyArn: string): readonly PolicyStatement[] {
  const deny = (sid: string, header: string, value: string): PolicyStatement =>
    new PolicyStatement({
      sid,
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['s3:PutObject'],
      resources: [`${bucketArn}/*`],
      conditions: { Null: { [header]: 'false' }, StringNotEquals: { [header]: value } },
    });
  return [
    deny('DenyOtherEncryption', 's3:x-amz-server-side-encryption', 'aws:kms'),
    deny('DenyOtherKey', 's3:x-amz-server-side-encryption-aws-kms-key-id', keyArn),
  ];
}

/** Everybody but these roles, whatever their own policies say, administrators of the account included. */
export function denyObjectsToOthers(bucketArn: string, roleArns: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'DenyObjectsToOthers',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: [
      's3:AbortMultipartUpload',
      's3:DeleteObject',
      's3:DeleteObjectVersion',
      's3:GetObject',
      's3:GetObjectVersion',
      's3:PutObject',
      's3:RestoreObject',
    ],
    resources: [`${bucketArn}/*`],
    conditions: {
      ArnNotEquals: { 'aws:PrincipalArn': [...roleArns] },
      BoolIfExists: { 'aws:PrincipalIsAWSService': 'false' },
    },
  });
}

/** Writing, by everybody but these roles, whatever their own policies say. Who may read is said elsewhere. */
export function denyWritesToOthers(objectArns: string, roleArns: readonly string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'DenyWritesToOthers',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:PutObject', 's3:RestoreObject'],
    resources: [objectArns],
    conditions: { ArnNotEquals: { 'aws:PrincipalArn': [...roleArns] } },
  });
}

/**
 * Writes that would put a new version over an object, which object lock does not hinder: only those that S3 refuses when an object
 * is there. The parts of an upload, which say nothing of that, make no object; its completion does.
 */
export function denyOverwriting(objectArns: string): PolicyStatement {
  return new PolicyStatement({
    sid: 'DenyOverwriting',
    effect: Effect.DENY,
    principals: [new AnyPrincipal()],
    actions: ['s3:PutObject'],
    resources: [objectArns],
    conditions: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
  });
}
