/**
 * The CDK app. `-c deployment=<name>` says which file of examples/ or deployments/ is built (default: dev); `-c bootstrap=false`
 * makes templates for accounts that may not be bootstrapped.
 */
import { App } from 'aws-cdk-lib';
import { checkWhileSynthesized } from '../compliance/nag-packs.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { withoutBootstrap } from '../constructs/without-bootstrap.js';
import { buildDeployment } from '../stacks/build-deployment.js';
import { loadDeployment } from './load-deployment.js';

const app = new App();
const text = (name: string): string | undefined => {
  const value: unknown = app.node.tryGetContext(name);
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined;
};
const configuration = validateConfiguration(await loadDeployment(text('deployment') ?? 'dev'));
const stacks = buildDeployment(app, configuration, {
  ...(text('bootstrap') === 'false' && { synthesizer: withoutBootstrap }),
});
checkWhileSynthesized(app, stacks, configuration);
app.synth();
