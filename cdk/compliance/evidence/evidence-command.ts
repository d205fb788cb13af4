/**
 * `npm run evidence -- [deployment] [--output directory] [--running]`: writes the evidence pack of a deployment. With `--running` it
 * also reads the account, with the credentials at hand; whatever may not be read is written down as such.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadDeployment } from '../../bin/load-deployment.js';
import { validateConfiguration } from '../../config/validate-configuration.js';
import { awsSdkDeployment } from '../../preflight/doctor/aws-sdk-deployment.js';
import { synthesizeApp } from '../../stacks/synthesize.js';
import { readCloudAssembly } from '../assembly/synthesized-app.js';
import { nagPacks, unacknowledgedFindings } from '../nag-packs.js';
import { recordedAcknowledgements } from '../nag/recorded-acknowledgements.js';
import { writeEvidence } from './evidence-pack.js';
import { runningEvidence } from './running-evidence.js';
import { billOfMaterials, imageWorkspaces } from './sbom.js';
import { answerHelp } from '../../bin/answer-help.js';

answerHelp(`usage: npm run evidence -- [deployment] [--output <directory>] [--running]

Writes the evidence pack of a deployment; with --running it also reads the account, with the credentials at hand.`);
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: 'string' }, running: { type: 'boolean', default: false } },
});
const name = positionals[0] ?? 'dev';
if (positionals.length > 1) {
  console.error('usage: npm run evidence -- [deployment] [--output directory] [--running]');
  process.exit(64);
}
const lock: unknown = JSON.parse(
  readFileSync(fileURLToPath(new URL('../../../../package-lock.json', import.meta.url)), 'utf8'),
);
const configuration = validateConfiguration(await loadDeployment(name));
const directory = mkdtempSync(join(tmpdir(), 'evidence-'));
try {
  const { app, stacks } = synthesizeApp(configuration, { outputDirectory: directory });
  const findings = unacknowledgedFindings(app, stacks, configuration);
  const synthesized = readCloudAssembly(directory);
  const running = values.running ? awsSdkDeployment(configuration.region) : undefined;
  const identity = await running?.identity();
  if (identity && (!identity.known || identity.value.account !== configuration.account)) {
    const why = identity.known ? `they are of account ${identity.value.account}` : identity.why;
    throw new Error(`--running needs credentials of account ${configuration.account}: ${why}`);
  }
  const output = values.output ?? `evidence/${name}`;
  const files = writeEvidence(
    synthesized,
    {
      deployment: configuration.name,
      madeAt: new Date(),
      nag: {
        packs: nagPacks(app, configuration).map((pack) => pack.name),
        findings,
        acknowledgements: recordedAcknowledgements(app),
      },
      bills: imageWorkspaces.map((workspace) => billOfMaterials(lock, workspace)),
      ...(running && { running: await runningEvidence(synthesized, running) }),
    },
    output,
  );
  console.log(`${output}: ${files.length} files; open ${output}/index.html and print it`);
  if (findings.length > 0) {
    console.error(`${findings.length} findings of the rule packs are open; they are listed in it`);
    process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
