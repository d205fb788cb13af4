/**
 * `npm run synth -- [name…]`: builds deployments (all examples without a name) without credentials, prints what each stack has, and
 * ends with 1 when one cannot be built or a check has an unacknowledged finding. `--output <directory>` keeps the templates.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { unacknowledgedFindings } from '../compliance/nag-packs.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { loadDeployment } from './load-deployment.js';
import { synthesizeApp } from '../stacks/synthesize.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: 'string' },
    bootstrap: { type: 'string', default: 'true' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`usage: npm run synth -- [deployment…]

Builds deployments without credentials, prints what each stack has, and checks it with every rule pack. A deployment is the name
of an example (all of them without a name) or the path of a configuration.

--output <directory>  keeps the templates there
--bootstrap false     for an account that is not bootstrapped

Exit status: 0 all are built and without an open finding, 1 otherwise.`);
  process.exit(0);
}

const examples = (): string[] =>
  readdirSync(new URL('../examples/', import.meta.url))
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.replace('.js', ''));

for (const name of positionals.length > 0 ? positionals : examples()) {
  const started = performance.now();
  const configuration = validateConfiguration(await loadDeployment(name));
  const { app, stacks, synthesized } = synthesizeApp(configuration, {
    bootstrap: values.bootstrap !== 'false',
    validate: true,
    ...(values.output !== undefined && { outputDirectory: `${values.output}/${name}` }),
  });
  const synthSeconds = seconds(started);
  const findings = unacknowledgedFindings(app, stacks, configuration);
  console.log(
    `${name}: ${synthesized.length} stacks in ${synthSeconds} s, checked in ${seconds(started)} s, ${findings.length} findings`,
  );
  for (const { kind, template } of synthesized) {
    const resources = Object.keys(template.Resources).length;
    console.log(`  ${kind.padEnd(14)} ${resources} resources, ${JSON.stringify(template).length} bytes`);
  }
  for (const { id, path, description } of findings) console.error(`  ${id} at ${path}: ${description}`);
  if (findings.length > 0) process.exitCode = 1;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
