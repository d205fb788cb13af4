import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readCloudAssembly, type SynthesizedApp } from '../../compliance/assembly/synthesized-app.js';
import type { DeploymentConfiguration, ResolvedConfiguration } from '../../config/deployment-configuration.js';
import { validateConfiguration } from '../../config/validate-configuration.js';
import { synthesize } from '../../stacks/synthesize.js';
import { deployment as airGapped } from '../../examples/air-gapped.js';
import { deployment as dev } from '../../examples/dev.js';
import { deployment as eks } from '../../examples/eks.js';
import { deployment as importVpc } from '../../examples/import-vpc.js';
import { deployment as production } from '../../examples/production.js';

export const examples: Readonly<Record<string, DeploymentConfiguration>> = {
  'air-gapped': airGapped,
  dev,
  eks,
  'import-vpc': importVpc,
  production,
};

export interface SynthesizedExample {
  readonly configuration: ResolvedConfiguration;
  readonly app: SynthesizedApp;
}

const made = new Map<string, SynthesizedExample>();
const directories: string[] = [];

/** An example as it would be deployed; made once in each test file. `removeSynthesized` clears up after all of them. */
export function synthesizedExample(name: string, change: Partial<DeploymentConfiguration> = {}): SynthesizedExample {
  const key = `${name} ${JSON.stringify(change)}`;
  const known = made.get(key);
  if (known) return known;
  const example = examples[name];
  if (!example) throw new Error(`there is no example ${name}`);
  const configuration = validateConfiguration({ ...example, ...change });
  const directory = mkdtempSync(join(tmpdir(), 'synthesized-'));
  directories.push(directory);
  synthesize(configuration, { outputDirectory: directory });
  const result = { configuration, app: readCloudAssembly(directory) };
  made.set(key, result);
  return result;
}

export function removeSynthesized(): void {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
  made.clear();
}
