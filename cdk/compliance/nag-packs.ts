import { Validations, type App } from 'aws-cdk-lib';
import { AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, type NagPack } from 'cdk-nag';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import type { DeploymentStacks } from '../stacks/build-deployment.js';
import { acknowledge } from './acknowledgements.js';
import { ruleSettings } from './nag/rule-settings.js';
import { TursoByocChecks } from './nag/turso-byoc-checks.js';

/** The packs that every deployment passes. */
export function nagPacks(app: App, configuration: ResolvedConfiguration): readonly NagPack[] {
  return [
    new AwsSolutionsChecks(app, { verbose: true }),
    new NIST80053R5Checks(app, { verbose: true }),
    new HIPAASecurityChecks(app, { verbose: true }),
    new PCIDSS321Checks(app, { verbose: true }),
    new TursoByocChecks(app, ruleSettings(configuration), { verbose: true }),
  ];
}

/** Has the app checked by every pack while it is synthesized, which fails on a finding; what is acknowledged is left out. */
export function checkWhileSynthesized(app: App, stacks: DeploymentStacks, configuration: ResolvedConfiguration): void {
  acknowledge(stacks, configuration);
  Validations.of(app).addPlugins(...nagPacks(app, configuration));
}

/** A finding of a pack at one construct. */
export interface Finding {
  readonly id: string;
  readonly path: string;
  readonly description: string;
}

/** What the packs find in a synthesized app and nobody acknowledged. */
export function unacknowledgedFindings(
  app: App,
  stacks: DeploymentStacks,
  configuration: ResolvedConfiguration,
): readonly Finding[] {
  acknowledge(stacks, configuration);
  return nagPacks(app, configuration).flatMap((pack) =>
    pack
      .validateScope(app)
      .violations.flatMap(({ ruleName, description, violatingResources = [] }) =>
        violatingResources.map(({ constructPath = '' }) => ({ id: ruleName, path: constructPath, description })),
      ),
  );
}
