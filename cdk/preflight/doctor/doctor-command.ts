/**
 * `npm run doctor -- [deployment] [--json]`: examines a deployment as it runs. It changes nothing. Ends with 1 when something is
 * wrong.
 */
import { parseArgs } from 'node:util';
import { withSynthesizedDeployment } from '../../compliance/synthesized-deployment.js';
import { exitStatusOf, findingText } from '../finding.js';
import { awsSdkDeployment } from './aws-sdk-deployment.js';
import { doctor } from './doctor.js';
import { answerHelp } from '../../bin/answer-help.js';

answerHelp(`usage: npm run doctor -- [deployment] [--json]

Examines a deployment as it runs; needs credentials, changes nothing. Exit status: 0, or 1 when something is wrong.`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const findings = await withSynthesizedDeployment(positionals[0] ?? 'dev', async (configuration, app) =>
  doctor(configuration, app, awsSdkDeployment(configuration.region)),
);
process.stdout.write(
  values.json ? `${JSON.stringify(findings, null, 2)}\n` : `${findings.map(findingText).join('\n')}\n`,
);
process.exitCode = exitStatusOf(findings);
