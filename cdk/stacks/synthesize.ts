import { App, BootstraplessSynthesizer } from 'aws-cdk-lib';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { StackKind } from '../config/deployment-names.js';
import { buildDeployment } from './build-deployment.js';

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
  /** Checks that the app is put through while it is synthesized. @default none */
  readonly checks?: (app: App) => void;
}

/** The stacks of a deployment in the order in which they are deployed. Asks nobody for anything. */
export function synthesize(
  configuration: ResolvedConfiguration,
  { bootstrap = true, outputDirectory, checks }: SynthesizeOptions = {},
): readonly SynthesizedStack[] {
  const app = new App({
    analyticsReporting: false,
    treeMetadata: false,
    context: { '@aws-cdk/core:enablePartitionLiterals': true },
    ...(outputDirectory !== undefined && { outdir: outputDirectory }),
  });
  const stacks = buildDeployment(app, configuration, {
    ...(!bootstrap && { synthesizer: () => new BootstraplessSynthesizer() }),
  });
  checks?.(app);
  const assembly = app.synth();
  return [...stacks].map(([kind, { artifactId, stackName, terminationProtection }]) => ({
    kind,
    stackName,
    terminationProtection: terminationProtection ?? false,
    template: assembly.getStackArtifact(artifactId).template as Template,
  }));
}
