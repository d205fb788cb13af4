import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { DeploymentContext } from './deployment-context.js';
import { keepState } from './removal.js';

export interface EncryptedLogGroupProps {
  readonly context: DeploymentContext;
  /** The audit key. */
  readonly keyArn: string;
  /** Whose logs; ends the group's name. @default `name` is the whole name */
  readonly of: string;
  /** Name where a service demands another one. @default `/turso-byoc/<deployment>/<of>` */
  readonly name?: string;
}

/** A log group under the audit key, kept as long as the configuration says, and after its stack. */
export function encryptedLogGroup(
  scope: Construct,
  id: string,
  { context, keyArn, of, name }: EncryptedLogGroupProps,
): CfnLogGroup {
  const group = new CfnLogGroup(scope, id, {
    logGroupName: name ?? context.names.logGroup(of),
    kmsKeyId: keyArn,
    retentionInDays: context.configuration.retention.logDays,
  });
  keepState(group, context);
  return group;
}
