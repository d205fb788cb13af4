import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { storePrefixes } from '../config/deployment-names.js';
import type { FoundationKeys } from '../stacks/foundation-stack.js';
import type { DeploymentContext } from './deployment-context.js';
import { dataKeyActions, dataKeyConditions } from './key-uses.js';
import { accessObjects, destroyVersions, useBucketKey } from './object-access.js';

/**
 * Everything that a data node may do: its own prefixes of three stores, from inside the network only; wrapping data keys in the
 * full encryption context. It cannot make, change or destroy any resource.
 */
export function dataNodePermissions(
  { names, configuration }: DeploymentContext,
  keys: FoundationKeys,
  vpcId: string,
): PolicyStatement[] {
  const { region } = configuration;
  const zoneIds = names.directoryBucketZoneIds;
  const conditions = { StringEquals: { 'aws:SourceVpc': vpcId } };
  return [
    ...accessObjects({
      sid: 'Data',
      bucketArn: names.bucketArn('data'),
      prefix: storePrefixes.data,
      access: 'write',
      conditions,
    }),
    // A deleted database's wrapped key is destroyed in every version of its manifest.
    ...destroyVersions({
      sid: 'Manifest',
      bucketArn: names.bucketArn('data'),
      prefix: `${storePrefixes.data}/manifests`,
      conditions,
    }),
    ...accessObjects({
      sid: 'Control',
      bucketArn: names.bucketArn('control'),
      prefix: storePrefixes.control,
      access: 'read',
      conditions,
    }),
    ...(zoneIds.length === 0
      ? accessObjects({
          sid: 'Log',
          bucketArn: names.bucketArn('log'),
          prefix: storePrefixes.log,
          access: 'write',
          conditions,
        })
      : [
          new PolicyStatement({
            sid: 'LogSessions',
            actions: ['s3express:CreateSession'],
            resources: zoneIds.map((zoneId) => names.directoryBucketArn(zoneId)),
            // The adapter of the store names the mode in every request.
            conditions: { StringEquals: { ...conditions.StringEquals, 's3express:SessionMode': 'ReadWrite' } },
          }),
        ]),
    useBucketKey('DataBucketKey', keys.data, region),
    useBucketKey('LogBucketKey', keys.log, region),
    new PolicyStatement({
      sid: 'ControlBucketKey',
      actions: ['kms:Decrypt'],
      resources: [keys.control],
      conditions: { StringEquals: { 'kms:ViaService': `s3.${region}.amazonaws.com` } },
    }),
    new PolicyStatement({
      sid: 'DataKeys',
      actions: dataKeyActions,
      resources: [keys.databases, ...keys.groups],
      conditions: dataKeyConditions,
    }),
  ];
}
