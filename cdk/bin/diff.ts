/**
 * `npm run diff -- <before> <after>`: what changes between two configurations, each the name of a deployment or a JSON file. Ends
 * with 2 when data can be lost, so that a pipeline stops.
 */
import { parseArgs } from 'node:util';
import { validateConfiguration } from '../config/validate-configuration.js';
import { changeReviewText, reviewChanges } from '../compliance/change-review.js';
import { synthesize, type SynthesizedStack } from '../stacks/synthesize.js';
import { loadDeployment } from './load-deployment.js';
import { answerHelp } from './answer-help.js';

// Both sides are only compared here.
process.env['CDK_VALIDATION'] ??= 'false';

answerHelp(`usage: npm run diff -- <before> <after> [--json]

What changes between two configurations: rights, network and retention first. Each is the name of a deployment or of an example,
or a JSON file. Exit status: 0, or 2 when data can be lost.`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const [before, after] = positionals;
if (before === undefined || after === undefined || positionals.length > 2) {
  console.error('usage: npm run diff -- <before> <after> [--json]\n  each the name of a deployment, or a JSON file');
  process.exit(64);
}
const stacksOf = async (name: string): Promise<readonly SynthesizedStack[]> =>
  synthesize(validateConfiguration(await loadDeployment(name)));
const changes = reviewChanges(await stacksOf(before), await stacksOf(after));
process.stdout.write(values.json ? `${JSON.stringify(changes, null, 2)}\n` : changeReviewText(changes));
if (changes.some(({ endangersData }) => endangersData)) process.exitCode = 2;
