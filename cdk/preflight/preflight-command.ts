/**
 * `npm run preflight -- [deployment] [--json]`: everything that can be known about a deployment before money is spent. It changes
 * nothing. Ends with 1 when something stands in the way.
 */
import { parseArgs } from 'node:util';
import { withSynthesizedDeployment } from '../compliance/synthesized-deployment.js';
import { awsSdkAccount } from './aws-sdk-account.js';
import { exitStatusOf, findingText } from './finding.js';
import { preflight } from './preflight.js';
import { answerHelp } from '../bin/answer-help.js';

answerHelp(`usage: npm run preflight -- [deployment] [--json]

Everything that can be known about a deployment before money is spent; needs credentials, changes nothing. Exit status: 0, or 1
when something stands in the way.`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const findings = await withSynthesizedDeployment(positionals[0] ?? 'dev', async (configuration, app) =>
  preflight(configuration, app, awsSdkAccount(configuration.region), () => new Date()),
);
process.stdout.write(
  values.json ? `${JSON.stringify(findings, null, 2)}\n` : `${findings.map(findingText).join('\n')}\n`,
);
process.exitCode = exitStatusOf(findings);
