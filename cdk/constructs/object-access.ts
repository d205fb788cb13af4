/** What roles may do with the objects of a store: the same words in every policy that says it. */
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';

export interface ObjectAccessProps {
  /** Begins the statements' ids, such as `Data`. */
  readonly sid: string;
  readonly bucketArn: string;
  /** Every key of the store begins with it and a slash. */
  readonly prefix: string;
  /** `append`: writing what nobody overwrites or deletes. */
  readonly access: 'read' | 'append' | 'write';
  /** What every request has to fulfil beside that. */
  readonly conditions?: Readonly<Record<string, Record<string, unknown>>>;
}

/** Reading, or reading and writing, what is below a prefix of a bucket; listing it says "absent" instead of "denied" to a reader. */
export function accessObjects({ sid, bucketArn, prefix, access, conditions }: ObjectAccessProps): PolicyStatement[] {
  const writing = {
    read: [],
    append: ['s3:PutObject', 's3:AbortMultipartUpload'],
    write: ['s3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
  };
  return [
    new PolicyStatement({
      sid: `${sid}Objects`,
      actions: ['s3:GetObject', ...writing[access]],
      resources: [`${bucketArn}/${prefix}/*`],
      ...(conditions !== undefined && { conditions }),
    }),
    new PolicyStatement({
      sid: `${sid}List`,
      actions: ['s3:ListBucket'],
      resources: [bucketArn],
      conditions: { ...conditions, StringLike: { ...conditions?.['StringLike'], 's3:prefix': [`${prefix}/*`] } },
    }),
  ];
}

/** Finding and destroying the versions that a bucket keeps of what is below a prefix: where a wrapped key must leave no copy. */
export function destroyVersions({
  sid,
  bucketArn,
  prefix,
  conditions,
}: Omit<ObjectAccessProps, 'access'>): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: `${sid}Versions`,
      actions: ['s3:DeleteObjectVersion'],
      resources: [`${bucketArn}/${prefix}/*`],
      ...(conditions !== undefined && { conditions }),
    }),
    new PolicyStatement({
      sid: `${sid}ListVersions`,
      actions: ['s3:ListBucketVersions'],
      resources: [bucketArn],
      conditions: { ...conditions, StringLike: { ...conditions?.['StringLike'], 's3:prefix': [`${prefix}/*`] } },
    }),
  ];
}

/** Encrypting and decrypting a bucket's objects under its key, through S3 only. */
export function useBucketKey(sid: string, keyArn: string, region: string): PolicyStatement {
  return new PolicyStatement({
    sid,
    actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
    resources: [keyArn],
    conditions: {
      StringEquals: { 'kms:ViaService': [`s3.${region}.amazonaws.com`, `s3express.${region}.amazonaws.com`] },
    },
  });
}
