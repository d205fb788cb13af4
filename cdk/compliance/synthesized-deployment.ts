import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDeployment } from '../bin/load-deployment.js';
import type { ResolvedConfiguration } from '../config/deployment-configuration.js';
import { validateConfiguration } from '../config/validate-configuration.js';
import { synthesize } from '../stacks/synthesize.js';
import { readCloudAssembly, type SynthesizedApp } from './assembly/synthesized-app.js';

/**
 * Synthesizes a deployment by its name, or the path of a JSON file, into a directory of its own, which is gone afterwards.
 * @throws what `use` throws, and the errors of a configuration that is not found or not valid.
 */
export async function withSynthesizedDeployment<T>(
  name: string,
  use: (configuration: ResolvedConfiguration, app: SynthesizedApp) => Promise<T> | T,
): Promise<T> {
  const configuration = validateConfiguration(await loadDeployment(name));
  const directory = mkdtempSync(join(tmpdir(), 'synthesized-'));
  try {
    synthesize(configuration, { outputDirectory: directory });
    return await use(configuration, readCloudAssembly(directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
