/**
 * `npm run synth -- [name…]`: builds deployments (all examples without a name) without credentials, prints what each stack has, and
 * ends with 1 when one cannot be built or a check has an unacknowledged finding. `--output <directory>` keeps the templates.
 */
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { validateConfiguration } from '../config/validate-configuration.js';
import { loadDeployment } from './load-deployment.js';
import { synthesize } from '../stacks/synthesize.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: 'string' }, bootstrap: { type: 'string', default: 'true' } },
});

const examples = (): string[] =>
  readdirSync(new URL('../examples/', import.meta.url))
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.replace('.js', ''));

for (const name of positionals.length > 0 ? positionals : examples()) {
  const started = performance.now();
  const { templates, findings } = synthesize(validateConfiguration(await loadDeployment(name)), {
    bootstrap: values.bootstrap !== 'false',
    checks: true,
    ...(values.output !== undefined && { outputDirectory: `${values.output}/${name}` }),
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${name}: ${templates.size} stacks in ${seconds} s, ${findings.length} findings`);
  for (const [kind, template] of templates) {
    const bytes = JSON.stringify(template).length;
    console.log(`  ${kind.padEnd(14)} ${String(Object.keys(template.Resources).length).padStart(4)} resources ${bytes} bytes`);
  }
  for (const finding of findings) console.error(`  ${finding}`);
  if (findings.length > 0) process.exitCode = 1;
}
