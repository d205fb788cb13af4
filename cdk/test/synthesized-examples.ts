/** The five examples as `npm run synth` leaves them, made once for all tests of one file. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import type { SynthesizedStack } from '../stacks/synthesize.js';

export const exampleNames = ['air-gapped', 'dev', 'eks', 'import-vpc', 'production'] as const;

/** An environment without anything that could lead to credentials of AWS, or to its metadata service. */
const withoutCredentials = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
};

/** Runs one of the compiled commands; rejects with its output when it fails. */
export async function runCommand(
  file: string,
  args: readonly string[],
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
  return promisify(execFile)(process.execPath, [path, ...args], { env: withoutCredentials, maxBuffer: 2 ** 26 });
}

export interface SynthesizedExamples {
  readonly directory: string;
  readonly output: string;
  readonly stacks: ReadonlyMap<string, readonly SynthesizedStack[]>;
}

/** Synthesizes all examples into a temporary directory, which the caller removes. */
export async function synthesizeExamples(): Promise<SynthesizedExamples> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-synth-'));
  const { stdout } = await runCommand('dist/bin/synth.js', ['--output', directory]);
  const stacks = new Map<string, readonly SynthesizedStack[]>();
  for (const name of exampleNames) stacks.set(name, await readAssembly(join(directory, name)));
  return { directory, output: stdout, stacks };
}

async function readAssembly(directory: string): Promise<readonly SynthesizedStack[]> {
  const manifest = JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'));
  const artifacts = Object.entries<any>(manifest.artifacts).filter(
    ([, { type }]) => type === 'aws:cloudformation:stack',
  );
  return Promise.all(
    artifacts.map(async ([kind, { properties }]) => ({
      kind: kind as SynthesizedStack['kind'],
      stackName: properties.stackName,
      terminationProtection: properties.terminationProtection ?? false,
      template: JSON.parse(await readFile(join(directory, properties.templateFile), 'utf8')),
    })),
  );
}
