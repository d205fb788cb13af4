import { CfnDeletionPolicy, type CfnResource } from 'aws-cdk-lib';
import type { DeploymentContext } from './deployment-context.js';

/** Has a resource that holds state stay when its stack goes or its definition is dropped; without removal protection it goes. */
export function keepState(resource: CfnResource, { configuration }: DeploymentContext): void {
  setPolicy(resource, configuration.removalProtection ? CfnDeletionPolicy.RETAIN : CfnDeletionPolicy.DELETE);
}

/** Has a resource stay in any case: what it holds is locked, and who would remove it could not. */
export function keepAlways(resource: CfnResource): void {
  setPolicy(resource, CfnDeletionPolicy.RETAIN);
}

function setPolicy(resource: CfnResource, policy: CfnDeletionPolicy): void {
  resource.cfnOptions.deletionPolicy = policy;
  resource.cfnOptions.updateReplacePolicy = policy;
}
