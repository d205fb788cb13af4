/** What stands beside the figures of a run that is kept: where they come from. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname } from 'node:path';

export class KeptRun {
  readonly startedAt = new Date();
  readonly #loadBefore = loadavg();

  /** `script`: the name of the npm script that was called with the arguments of this process. */
  constructor(private readonly script: string) {}

  get elapsedMs(): number {
    return Date.now() - this.startedAt.getTime();
  }

  /** Writes command, machine, commit and `findings` as JSON. */
  async write(path: string, findings: Readonly<Record<string, unknown>>): Promise<void> {
    const report = {
      command: `npm run ${this.script} -- ${process.argv.slice(2).join(' ')}`,
      startedAt: this.startedAt.toISOString(),
      commit: git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes'),
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        memoryBytes: totalmem(),
        system: `${platform()} ${release()} ${arch()}`,
        node: process.version,
        loadBefore: this.#loadBefore,
        loadAfter: loadavg(),
      },
      ...findings,
    };
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
  }
}

function git(...commandLine: string[]): string {
  return execFileSync('git', commandLine, { encoding: 'utf8' }).trim();
}
