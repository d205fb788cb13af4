/**
 * PostgreSQL as Debian packages it, on a cluster of its own with the settings that it ships with (a commit is on disk when it
 * is answered), under the load of its own `pgbench` with prepared statements over TCP.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, constants, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpuSecondsOfEnded } from '../processes/cpu-time.js';
import { freePort } from './free-port.js';

const run = promisify(execFile);
const role = 'bench';
const packages = '/usr/lib/postgresql';
const programs = ['initdb', 'postgres', 'pgbench', 'psql'];
/** PostgreSQL refuses to run as root; these are Debian's `nobody` and `nogroup`. */
const unprivileged = { uid: 65_534, gid: 65_534 };
const startMs = 30_000;
const pollMs = 50;

/** The variable that names the directory with its programs, where that is not Debian's. */
export const postgresqlVariable = 'TURSO_BYOC_BENCH_POSTGRESQL';

/** The directory with the programs of the newest installed version; undefined where there is none. */
export async function installedPostgresql(): Promise<string | undefined> {
  const named = process.env[postgresqlVariable];
  const versions = await readdir(packages).catch(() => []);
  versions.sort((a, b) => Number(b) - Number(a));
  for (const directory of named === undefined ? versions.map((version) => join(packages, version, 'bin')) : [named]) {
    const found = programs.map(async (program) => access(join(directory, program), constants.X_OK));
    if ((await Promise.allSettled(found)).every(({ status }) => status === 'fulfilled')) return directory;
  }
  return undefined;
}

/** One run of `pgbench`. */
export interface PostgresqlLoad {
  readonly perSecond: number;
  /** From sending a statement to its answer. */
  readonly latenciesMs: Float64Array;
  /** CPU time of the server's processes for each statement. */
  readonly cpuEachMs: number;
}

export class Postgresql {
  private constructor(
    private readonly programs: string,
    private readonly directory: string,
    private readonly port: number,
    private readonly server: ChildProcess,
    readonly version: string,
  ) {}

  /** `directory` is created. Throws `Error` with what the server printed when it does not come up. */
  static async start(installed: string, directory: string): Promise<Postgresql> {
    const user = process.getuid?.() === 0 ? unprivileged : undefined;
    await mkdir(directory, { mode: 0o700 });
    if (user) await chown(directory, user.uid, user.gid);
    const data = join(directory, 'data');
    await run(join(installed, 'initdb'), ['--pgdata', data, '--auth', 'trust', '--username', role], {
      ...user,
      cwd: directory,
    });
    const { stdout } = await run(join(installed, 'postgres'), ['--version']);
    const port = await freePort();
    const server = spawn(
      join(installed, 'postgres'),
      ['-D', data, '-k', directory, '-h', '127.0.0.1', '-p', String(port), '-c', 'max_connections=200'],
      { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let printed = '';
    server.stderr.on('data', (part: Buffer) => {
      printed = (printed + part.toString()).slice(-4_000);
    });
    const postgresql = new Postgresql(installed, directory, port, server, stdout.trim());
    const untilMs = performance.now() + startMs;
    for (;;) {
      try {
        await postgresql.execute('SELECT 1');
        return postgresql;
      } catch (cause) {
        if (performance.now() >= untilMs || server.exitCode !== null) {
          server.kill('SIGKILL');
          throw new Error(`PostgreSQL did not start:\n${printed}`, { cause });
        }
      }
      await sleep(pollMs);
    }
  }

  async execute(...statements: string[]): Promise<void> {
    const commands = statements.flatMap((statement) => ['--command', statement]);
    await run(join(this.programs, 'psql'), ['--no-psqlrc', '--quiet', ...this.#connection(), ...commands, 'postgres']);
  }

  /**
   * Runs a script of `pgbench` on so many connections, each with one statement on its way at a time. `variables` are
   * parameters of its statements.
   */
  async load(
    script: string,
    connections: number,
    extent: { readonly warmupMs: number; readonly measureMs: number },
    variables: Readonly<Record<string, string>> = {},
  ): Promise<PostgresqlLoad> {
    const place = join(this.directory, 'load');
    await mkdir(place);
    try {
      const file = join(place, 'script.sql');
      await writeFile(file, script);
      const bench = async (ms: number, ...more: string[]): Promise<void> => {
        const seconds = String(Math.max(1, Math.round(ms / 1_000)));
        const defined = Object.entries(variables).flatMap(([name, value]) => ['--define', `${name}=${value}`]);
        const clients = ['--client', String(connections), '--protocol', 'prepared', '--no-vacuum', '--time', seconds];
        await run(
          join(this.programs, 'pgbench'),
          [...this.#connection(), ...clients, ...defined, ...more, '--file', file, 'postgres'],
          { cwd: place },
        );
      };
      await bench(extent.warmupMs);
      // Every connection has a process of its own, which is gone afterwards: its parent has its time then.
      const before = cpuSecondsOfEnded(this.server.pid ?? 0);
      await bench(extent.measureMs, '--log', '--log-prefix', join(place, 'transactions'));
      const cpuSeconds = cpuSecondsOfEnded(this.server.pid ?? 0) - before;
      const logs = (await readdir(place)).filter((name) => name.startsWith('transactions'));
      const lines = await Promise.all(logs.map(async (name) => readFile(join(place, name), 'latin1')));
      const figures = measured(lines.join(''));
      return { ...figures, cpuEachMs: (cpuSeconds * 1_000) / figures.latenciesMs.length };
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  }

  async stop(): Promise<void> {
    const exited = once(this.server, 'exit');
    // A fast shutdown, as PostgreSQL calls it.
    this.server.kill('SIGINT');
    await exited;
  }

  #connection(): string[] {
    return ['--host', '127.0.0.1', '--port', String(this.port), '--username', role];
  }
}

/** Of the lines of pgbench's log: client, transaction, microseconds it took, script, and when it ended, in seconds and microseconds. */
function measured(log: string): Pick<PostgresqlLoad, 'perSecond' | 'latenciesMs'> {
  const lines = log.split('\n').filter((line) => line !== '');
  const latenciesMs = new Float64Array(lines.length);
  let firstMs = Infinity;
  let lastMs = 0;
  for (const [index, line] of lines.entries()) {
    const [, , tookMicroseconds, , seconds, microseconds] = line.split(' ').map(Number);
    const endedMs = (seconds ?? NaN) * 1_000 + (microseconds ?? NaN) / 1_000;
    const tookMs = (tookMicroseconds ?? NaN) / 1_000;
    latenciesMs[index] = tookMs;
    firstMs = Math.min(firstMs, endedMs - tookMs);
    lastMs = Math.max(lastMs, endedMs);
  }
  if (!(lastMs > firstMs)) throw new Error(`pgbench measured nothing: ${log.slice(0, 200)}`);
  return { perSecond: lines.length / ((lastMs - firstMs) / 1_000), latenciesMs };
}
