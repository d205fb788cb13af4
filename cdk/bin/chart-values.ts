/**
 * `npm run chart-values -- <name> --outputs <file> --output <directory>`: values.json for the Helm chart and cluster.json for
 * `kubectl apply`, from the outputs that `cdk deploy --outputs-file` wrote.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chartValues, clusterManifests, type EksOutputs } from '../config/chart-values.js';
import { DeploymentNames } from '../config/deployment-names.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { loadDeployment } from './load-deployment.js';
import { answerHelp } from './answer-help.js';

answerHelp(`usage: npm run chart-values -- <deployment> --outputs <file> --output <directory>

values.json for the Helm chart and cluster.json for kubectl apply, from the outputs that cdk deploy --outputs-file wrote.`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { outputs: { type: 'string' }, output: { type: 'string' } },
});
const [name] = positionals;
if (name === undefined || values.outputs === undefined || values.output === undefined) {
  console.error('usage: npm run chart-values -- <deployment> --outputs <file> --output <directory>');
  process.exit(64);
}
const configuration = validateConfiguration(await loadDeployment(name));
const { compute } = configuration;
if (compute.kind !== 'eks') {
  console.error(`${name} runs on ${compute.kind}; the chart is for eks`);
  process.exit(1);
}
const all = JSON.parse(readFileSync(values.outputs, 'utf8')) as Readonly<Record<string, Partial<EksOutputs>>>;
const stack = new DeploymentNames(configuration).stack('eks');
const { DatabasesKeyArn, NodesTargetGroupArn, ControlTargetGroupArn } = all[stack] ?? {};
if (DatabasesKeyArn === undefined || NodesTargetGroupArn === undefined || ControlTargetGroupArn === undefined) {
  console.error(`${values.outputs} does not have the outputs of ${stack}; deploy with --outputs-file`);
  process.exit(1);
}
const outputs: EksOutputs = { DatabasesKeyArn, NodesTargetGroupArn, ControlTargetGroupArn };
mkdirSync(values.output, { recursive: true });
const write = (file: string, content: object): void => {
  writeFileSync(join(values.output ?? '', file), `${JSON.stringify(content, null, 2)}\n`);
};
write('values.json', chartValues(configuration, outputs));
write('cluster.json', clusterManifests(configuration, compute, outputs));
console.log(`values.json and cluster.json in ${values.output}`);
