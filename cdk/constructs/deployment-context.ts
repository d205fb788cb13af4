import type { StackProps, IStackSynthesizer } from 'aws-cdk-lib';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { DeploymentNames, StackKind } from '../config/deployment-names.js';

/** What every stack and construct of one deployment is built from. */
export interface DeploymentContext {
  readonly configuration: ResolvedConfiguration;
  readonly names: DeploymentNames;
  /** How templates reach CloudFormation. @default the CDK's, which needs a bootstrapped account */
  readonly synthesizer?: () => IStackSynthesizer;
}

/** What each stack of a deployment is created with. */
export function stackProps({ configuration, names, synthesizer }: DeploymentContext, kind: StackKind): StackProps {
  return {
    stackName: names.stack(kind),
    description: `Turso BYOC ${configuration.name}: ${kind}`,
    env: { account: configuration.account, region: configuration.region },
    terminationProtection: configuration.removalProtection,
    tags: { 'turso-byoc:stack': kind },
    ...(synthesizer !== undefined && { synthesizer: synthesizer() }),
  };
}
