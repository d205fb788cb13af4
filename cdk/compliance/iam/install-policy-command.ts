/**
 * `npm run install-policy -- [deployment]`: prints the policies that the role needs with which CloudFormation deploys it, as a JSON
 * list of documents, each small enough for a managed policy.
 */
import { IntrinsicFunctions } from '../assembly/intrinsic-functions.js';
import { withSynthesizedDeployment } from '../synthesized-deployment.js';
import { installPolicies } from './install-policy.js';
import { answerHelp } from '../../bin/answer-help.js';

answerHelp(`usage: npm run install-policy -- [deployment]

Prints the policies that the role needs with which CloudFormation deploys it, as a JSON list of documents.`);
const [name = 'dev'] = process.argv.slice(2);
await withSynthesizedDeployment(name, (_, app) => {
  process.stdout.write(`${JSON.stringify(installPolicies(app, new IntrinsicFunctions(app)), null, 2)}\n`);
});
