import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocal, type RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';

export const commitWindowMs = 10;

/** Runs something against a system of its own on this machine, in a directory that is gone afterwards. */
export async function withLocalSystem<Result>(
  report: (line: string) => void,
  run: (system: RunningLocalSystem) => Promise<Result>,
): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-bench-'));
  let system: RunningLocalSystem | undefined;
  try {
    system = await startLocal({
      dataDirectory: directory,
      httpPort: 0,
      apiPort: 0,
      commitWindowMs,
      report,
      environment: { ...process.env, TURSO_BYOC_LOG_LEVEL: 'warn' },
    });
    return await run(system);
  } finally {
    await system?.stop();
    await rm(directory, { recursive: true, force: true });
  }
}
