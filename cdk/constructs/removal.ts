import { CfnDeletionPolicy, type CfnResource } from 'aws-cdk-lib';
import type { DeploymentContext } from './deployment-context.js';

/** Has a resource that holds state stay when its stack goes or its definition is dropped; without removal protection it goes. */
export function keepState(resource: CfnResource, { configuration }: DeploymentContext): void {
  const policy = configuration.removalProtection ? CfnDeletionPolicy.RETAIN : CfnDeletionPolicy.DELETE;
  resource.cfnOptions.deletionPolicy = policy;
  resource.cfnOptions.updateReplacePolicy = policy;
}
