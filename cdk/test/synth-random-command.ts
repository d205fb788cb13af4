/**
 * `npm run synth:random -- --count 500 --seed 7 --write <file>`: builds random valid configurations and looks for what must hold in
 * each of them: cdk-nag's packs without an unacknowledged finding, and the template properties. Ends with 1 when something does not.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { unacknowledgedFindings } from '@turso-byoc/cdk/compliance/nag-packs.js';
import { violations } from '@turso-byoc/cdk/compliance/template-properties.js';
import { validateConfiguration } from '@turso-byoc/cdk/config/validate-configuration.js';
import { synthesizeApp } from '@turso-byoc/cdk/stacks/synthesize.js';
import { randomConfiguration } from './random-configurations.js';
import { answerHelp } from '@turso-byoc/cdk/bin/answer-help.js';

// The CDK's own look at the templates takes longer than all the rest; the examples are put through it.
process.env['CDK_VALIDATION'] ??= 'false';

answerHelp(`usage: npm run synth:random -- [--count <number>] [--seed <number>] [--write <file>]

Builds random valid configurations and looks for what must hold in each of them. Exit status: 1 when something does not.`);
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    write: { type: 'string' },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
if (!Number.isInteger(count) || count < 1 || !Number.isInteger(seed)) {
  console.error('usage: npm run synth:random -- [--count <number>] [--seed <number>] [--write <file>]');
  process.exit(64);
}

const seen: Record<string, number> = {};
const failures: { readonly index: number; readonly problems: readonly string[]; readonly configuration: unknown }[] =
  [];
let resources = 0;
for (const [index, input] of fc.sample(randomConfiguration, { numRuns: count, seed }).entries()) {
  const configuration = validateConfiguration(input);
  const { compute, log, exposure, network } = configuration;
  for (const kind of [compute.kind, `log ${log.kind}`, exposure.kind, `network ${network.kind}`]) {
    seen[kind] = (seen[kind] ?? 0) + 1;
  }
  const { app, stacks, synthesized } = synthesizeApp(configuration);
  resources += synthesized.reduce((sum, { template }) => sum + Object.keys(template.Resources).length, 0);
  const problems = [
    ...unacknowledgedFindings(app, stacks, configuration).map(({ id, path }) => `${id} at ${path}`),
    ...violations(configuration, synthesized).map(({ property, where }) => `not so: ${property}, at ${where}`),
  ];
  if (problems.length > 0) failures.push({ index, problems, configuration: input });
}
const result = { count, seed, resources, seen, failed: failures.length, cpuSeconds: process.cpuUsage().user / 1e6 };
if (values.write !== undefined) writeFileSync(values.write, `${JSON.stringify({ ...result, failures }, null, 2)}\n`);
console.log(JSON.stringify(result));
for (const { index, problems } of failures.slice(0, 5)) {
  console.error(`configuration ${index} of seed ${seed}:\n  ${[...new Set(problems)].join('\n  ')}`);
}
if (failures.length > 0) process.exitCode = 1;
