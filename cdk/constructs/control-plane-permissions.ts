import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { storePrefixes } from '../config/deployment-names.js';
import type { FoundationKeys } from '../stacks/foundation-stack.js';
import type { DeploymentContext } from './deployment-context.js';
import { accessObjects, useBucketKey } from './object-access.js';

/**
 * Everything that the control plane may do: publish in the control bucket, add to its audit log, and sign tokens. It reaches neither
 * the data nor the log bucket, nor any key under which a database's data key is wrapped.
 */
export function controlPlanePermissions(
  { names, configuration }: DeploymentContext,
  keys: FoundationKeys,
  vpcId: string,
): PolicyStatement[] {
  const inside = { StringEquals: { 'aws:SourceVpc': vpcId } };
  return [
    ...accessObjects({
      sid: 'Control',
      bucketArn: names.bucketArn('control'),
      prefix: storePrefixes.control,
      access: 'write',
      conditions: inside,
    }),
    useBucketKey('ControlBucketKey', keys.control, configuration.region),
    ...accessObjects({
      sid: 'AuditLog',
      bucketArn: names.bucketArn('audit'),
      prefix: storePrefixes.audit,
      access: 'append',
      conditions: inside,
    }),
    useBucketKey('AuditBucketKey', keys.audit, configuration.region),
    ...(keys.signing === undefined
      ? []
      : [
          new PolicyStatement({
            sid: 'SignTokens',
            actions: ['kms:Sign'],
            resources: [keys.signing],
            conditions: {
              StringEquals: { 'kms:SigningAlgorithm': 'ED25519_SHA_512', 'kms:MessageType': 'RAW' },
            },
          }),
          new PolicyStatement({ sid: 'ReadPublicKey', actions: ['kms:GetPublicKey'], resources: [keys.signing] }),
        ]),
  ];
}
