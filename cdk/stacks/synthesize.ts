import { App } from 'aws-cdk-lib';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { StackKind } from '../config/deployment-names.js';
import { withoutBootstrap } from '../constructs/without-bootstrap.js';
import { buildDeployment, type DeploymentStacks } from './build-deployment.js';

/** A resource in a CloudFormation template. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DependsOn?: string | readonly string[];
}

/** A CloudFormation template. */
export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs?: Readonly<Record<string, unknown>>;
  readonly Parameters?: Readonly<Record<string, unknown>>;
}

/** A stack as CloudFormation gets it. */
export interface SynthesizedStack {
  readonly kind: StackKind;
  readonly stackName: string;
  readonly terminationProtection: boolean;
  readonly template: Template;
}

export interface SynthesizeOptions {
  /** Whether the account is bootstrapped for the CDK. @default true */
  readonly bootstrap?: boolean;
  /** @default a temporary directory */
  readonly outputDirectory?: string;
  /** Whether templates are held against the CDK's own rules for CloudFormation, which takes seconds. @default false */
  readonly validate?: boolean;
}

/** The stacks of a deployment in the order in which they are deployed. Asks nobody for anything. */
export function synthesize(
  configuration: ResolvedConfiguration,
  options: SynthesizeOptions = {},
): readonly SynthesizedStack[] {
  return synthesizeApp(configuration, options).synthesized;
}

/** The same, with the constructs that it was made from. */
export function synthesizeApp(
  configuration: ResolvedConfiguration,
  { bootstrap = true, outputDirectory, validate = false }: SynthesizeOptions = {},
): { readonly app: App; readonly stacks: DeploymentStacks; readonly synthesized: readonly SynthesizedStack[] } {
  const app = new App({
    analyticsReporting: false,
    treeMetadata: false,
    context: {
      // As in cdk.json.
      '@aws-cdk/core:defaultCrossStackReferences': 'strong',
      '@aws-cdk/core:enablePartitionLiterals': true,
      '@aws-cdk/core:validateAgainstDefaultRules': validate,
    },
    ...(outputDirectory !== undefined && { outdir: outputDirectory }),
  });
  const stacks = buildDeployment(app, configuration, {
    ...(!bootstrap && { synthesizer: withoutBootstrap }),
  });
  const assembly = app.synth();
  const synthesized = [...stacks].map(([kind, { artifactId, stackName, terminationProtection }]) => ({
    kind,
    stackName,
    terminationProtection,
    template: assembly.getStackArtifact(artifactId).template as Template,
  }));
  return { app, stacks, synthesized };
}
