/**
 * `npm run templates -- <name> --output <directory>`: plain CloudFormation templates and a script that deploys them, for accounts where
 * `cdk bootstrap` is not allowed. That works because no stack has an asset.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { unacknowledgedFindings } from '../compliance/nag-packs.js';
import { deployScript, templateFile } from '../operate/deploy-script.js';
import { removeScript } from '../operate/remove-script.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { synthesizeApp } from '../stacks/synthesize.js';
import { loadDeployment } from './load-deployment.js';
import { answerHelp } from './answer-help.js';

answerHelp(`usage: npm run templates -- <deployment> --output <directory>

Plain CloudFormation templates and the scripts that deploy and remove them, for accounts without cdk bootstrap.`);
const { values, positionals } = parseArgs({ allowPositionals: true, options: { output: { type: 'string' } } });
const [name] = positionals;
if (name === undefined || values.output === undefined || positionals.length > 1) {
  console.error('usage: npm run templates -- <deployment> --output <directory>');
  process.exit(64);
}
const configuration = validateConfiguration(await loadDeployment(name));
const { app, stacks, synthesized } = synthesizeApp(configuration, { bootstrap: false, validate: true });
const findings = unacknowledgedFindings(app, stacks, configuration);
if (findings.length > 0) {
  for (const { id, path } of findings) console.error(`${id} at ${path}`);
  process.exit(1);
}
mkdirSync(values.output, { recursive: true });
for (const stack of synthesized) {
  writeFileSync(join(values.output, templateFile(stack)), `${JSON.stringify(stack.template, null, 1)}\n`);
}
for (const [file, script] of [
  ['deploy.sh', deployScript(configuration, synthesized)],
  ['remove.sh', removeScript(configuration, synthesized)],
] as const) {
  writeFileSync(join(values.output, file), script);
  chmodSync(join(values.output, file), 0o755);
}
console.log(`${synthesized.length} templates, deploy.sh and remove.sh in ${values.output}`);
