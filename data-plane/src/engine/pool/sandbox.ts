/**
 * How an engine process is launched: through a chain of small programs that each take something away from it and then
 * become the next one, so that nothing but the engine process remains.
 *
 *   sh (umask) → prlimit → unshare → setpriv → perl (Landlock, seccomp, huge pages) → node
 *
 * Which links a platform allows cannot be known from its name: containers differ in capabilities, seccomp profiles and
 * kernels. So the chain is built by trial when the node starts, each trial with a real process: all links at once and, where
 * that fails, link by link; a link that fails is left out and the report says why. Nothing here fails for lack of a protection: the operator reads the
 * report and decides.
 *
 * Users. When the I/O process is root, the engine process of slot `n` runs as user and group `baseUid + n` (default
 * 64100 + n, outside of what Debian assigns): engine processes can then reach neither the files and memory of the I/O
 * process nor each other's. The user needs no entry in the user database.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, chmodSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EngineDirectory, type EngineUser } from './engine-directory.js';
import { landlockRuleset } from './landlock-rules.js';
import { landlockVersionScript, restrictingLauncher, type Restrictions } from './restricting-launcher.js';
import { runProbe } from './sandbox-probe.js';
import { sandboxReport, type Observation, type Protection, type SandboxReport } from './sandbox-report.js';
import { prctlNumber, seccompFilter } from './seccomp-filter.js';

export interface SandboxOptions {
  /** Directory for the engines' working directories; created when missing. Engine processes must be able to enter it. */
  readonly cacheDirectory: string;
  /** Script that an engine process runs. It, its folder and the `node_modules` above it become readable. */
  readonly entry: string;
  /** Further files and directories that engine processes may read. @default none */
  readonly readable?: readonly string[];
  /** User and group id of slot 0; slot n gets this plus n. @default 64100 */
  readonly baseUid?: number;
  /** Stack limit in bytes; the engines recurse deeply on nested SQL. @default 64 MiB */
  readonly stackBytes?: number;
  /** Wanted limit of open files; the hard limit of the I/O process bounds it. @default 262144 */
  readonly openFiles?: number;
  /**
   * Cap of private memory in bytes (RLIMIT_DATA): beyond it an allocation fails inside the engine. An address-space
   * limit would stop V8, which reserves far more than it uses. A tursodb database counts 6.3 MB. @default no cap
   */
  readonly memoryBytes?: number;
  /** Upper bound of the JavaScript heap in MiB. @default 256 */
  readonly heapMiB?: number;
  /** Protections to leave off, for a platform where one does harm. @default none */
  readonly omit?: readonly Protection[];
  /** How long one trial may take before it counts as failed. @default 20000 */
  readonly probeTimeoutMs?: number;
}

/** A program to start, complete. */
export interface LaunchCommand {
  readonly program: string;
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

type LinkName = keyof typeof brings;
const shell = '/bin/sh';
const toolDirectories = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** What a link brings; its absence explains these lines of the report. */
const brings = {
  umask: ['umask'],
  limits: ['core-dumps', 'stack', 'open-files'],
  'memory-limit': ['memory'],
  network: ['network-namespace'],
  privileges: ['no-new-privileges'],
  capabilities: ['capabilities'],
  user: ['user'],
  launcher: ['parent-death'],
  landlock: ['file-system'],
  seccomp: ['system-calls'],
  'huge-pages': ['huge-pages'],
} as const satisfies Readonly<Record<string, readonly Protection[]>>;

export class Sandbox {
  readonly report: SandboxReport;
  readonly #chain: LaunchChain;

  private constructor(report: SandboxReport, chain: LaunchChain) {
    this.report = report;
    this.#chain = chain;
  }

  /** Tries what this platform allows. Throws only when not even a plain process can be started on `cacheDirectory`. */
  static async probe(options: SandboxOptions): Promise<Sandbox> {
    mkdirSync(options.cacheDirectory, { recursive: true });
    const chain = new LaunchChain(options);
    if (chain.isRoot) {
      // Other users may pass through to the one directory that is theirs, and list nothing.
      chmodSync(options.cacheDirectory, (statSync(options.cacheDirectory).mode & 0o777) | 0o011);
    }
    const reasons: Partial<Record<Protection, string>> = chain.isRoot ? {} : { user: 'the I/O process is not root' };
    const leaveOut = (link: LinkName, reason: string): void => {
      for (const protection of brings[link]) reasons[protection] = reason;
    };
    const links = chain.candidates().filter((link) => {
      const missing = chain.missing(link);
      if (missing !== undefined) leaveOut(link, missing);
      return missing === undefined;
    });
    const seen =
      (await chain.tryAll(options, links)) ??
      (await chain.tryEach(options, links, (link, error) => {
        leaveOut(link, error instanceof Error ? error.message : String(error));
      }));
    const report = sandboxReport(seen, {
      platform: `${process.platform} ${process.arch}`,
      ownUid: process.getuid?.(),
      ownOpenFiles: ownHardLimit('open files', chain.wantedOpenFiles),
      wantedStackBytes: chain.stackBytes,
      environment: Object.keys(chain.environment(options.cacheDirectory)),
      diesWithParent: chain.enabled.has('launcher'),
      reasons,
    });
    return new Sandbox(report, chain);
  }

  /** The user that the engine process of a slot runs as; undefined when it is that of the I/O process. */
  userOf(slot: number): EngineUser | undefined {
    return this.#chain.userOf(slot);
  }

  /** The command that starts `entry` with `argv` in the sandbox of `directory`. */
  command(directory: EngineDirectory, argv: readonly string[]): LaunchCommand {
    const [program = '', ...rest] = this.#chain.command(directory);
    return {
      program,
      argv: [...rest, this.#chain.entry, ...argv],
      environment: this.#chain.environment(directory.temporaryPath),
    };
  }
}

/** The links in use and how each is written. */
class LaunchChain {
  readonly enabled = new Set<LinkName>();
  readonly isRoot = process.platform === 'linux' && process.getuid?.() === 0;
  readonly entry: string;
  readonly stackBytes: number;
  readonly wantedOpenFiles: number;
  readonly #options: SandboxOptions;
  readonly #readable: readonly string[];
  readonly #tools: ReadonlyMap<string, string>;
  readonly #landlockVersion: number;

  constructor(options: SandboxOptions) {
    this.#options = options;
    this.entry = options.entry;
    this.stackBytes = options.stackBytes ?? 64 * 1024 * 1024;
    this.wantedOpenFiles = options.openFiles ?? 262_144;
    this.#readable = [...applicationPaths(options.entry), ...(options.readable ?? [])];
    this.#tools = new Map(
      ['prlimit', 'unshare', 'setpriv', 'perl'].flatMap((tool) => {
        const found = toolDirectories.map((folder) => join(folder, tool)).find((path) => existsSync(path));
        return found === undefined ? [] : [[tool, found] as const];
      }),
    );
    this.#landlockVersion = this.#probeLandlock();
  }

  /** In the order of trial. Empty off Linux. */
  candidates(): LinkName[] {
    if (process.platform !== 'linux') return [];
    const links: LinkName[] = ['umask', 'limits', 'network', 'privileges'];
    // Without root there is nothing to drop, and no other user to become.
    if (this.isRoot) links.push('capabilities', 'user');
    if (this.#options.memoryBytes !== undefined) links.push('memory-limit');
    return [...links, 'launcher', 'huge-pages', 'landlock', 'seccomp'];
  }

  /** Why a link cannot even be tried, or undefined. */
  missing(link: LinkName): string | undefined {
    const lacks = (tool: string): string | undefined =>
      this.#tools.has(tool) ? undefined : `${tool} is not installed`;
    if (brings[link].some((protection) => this.#options.omit?.includes(protection))) {
      return 'switched off by configuration';
    }
    switch (link) {
      case 'umask':
        return existsSync(shell) ? undefined : 'there is no shell';
      case 'limits':
      case 'memory-limit':
        return lacks('prlimit');
      case 'network':
        return lacks('unshare');
      case 'privileges':
      case 'capabilities':
      case 'user':
        return lacks('setpriv');
      case 'launcher':
      case 'huge-pages':
      case 'seccomp':
        return prctlNumber(process.arch) === undefined ? `no tables for ${process.arch}` : lacks('perl');
      case 'landlock':
        return this.#landlockVersion > 0 ? undefined : (lacks('perl') ?? 'the kernel does not offer Landlock');
    }
  }

  userOf(slot: number): EngineUser | undefined {
    if (!this.enabled.has('user')) return undefined;
    const id = (this.#options.baseUid ?? 64_100) + slot;
    return { uid: id, gid: id };
  }

  environment(temporaryPath: string): Record<string, string> {
    const environment: Record<string, string> = { TZ: 'UTC', TMPDIR: temporaryPath };
    // Windows starts no program without it.
    const { SystemRoot } = process.env;
    if (process.platform === 'win32' && SystemRoot !== undefined) environment.SystemRoot = SystemRoot;
    return environment;
  }

  /** The whole chain up to and including Node.js with its options. */
  command(directory: EngineDirectory): string[] {
    const command: string[] = [];
    const tool = (name: string): string => this.#tools.get(name) ?? name;
    if (this.enabled.has('umask')) command.push(shell, '-c', 'umask 077; unset PWD; exec "$@"', 'sh');
    const limits = this.#limits();
    if (limits.length > 0) command.push(tool('prlimit'), ...limits, '--');
    if (this.enabled.has('network')) {
      command.push(tool('unshare'), ...(this.isRoot ? [] : ['--user']), '--net', '--');
    }
    if (this.enabled.has('privileges')) {
      command.push(tool('setpriv'), '--no-new-privs');
      const { user } = directory;
      if (user) command.push('--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups');
      if (this.enabled.has('capabilities')) {
        command.push('--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all');
      }
      command.push('--');
    }
    const prctl = prctlNumber(process.arch);
    if (this.enabled.has('launcher') && prctl !== undefined) {
      command.push(...restrictingLauncher(tool('perl'), process.pid, this.#restrictions(prctl, directory)));
    }
    return [...command, process.execPath, '--expose-gc', `--max-old-space-size=${this.#options.heapMiB ?? 256}`];
  }

  /** What a probe sees with all of these links, which are enabled then; undefined when it does not run with all of them. */
  async tryAll(options: SandboxOptions, links: readonly LinkName[]): Promise<Observation | undefined> {
    for (const link of links) this.enabled.add(link);
    try {
      return await this.tryOut(options);
    } catch {
      // Which of them it is, and why, the trials one by one find out.
      this.enabled.clear();
      return undefined;
    }
  }

  /** Enables these links one by one, as far as a probe runs with them; tells of the others. What the last one saw. */
  async tryEach(
    options: SandboxOptions,
    links: readonly LinkName[],
    onFailed: (link: LinkName, error: unknown) => void,
  ): Promise<Observation> {
    let seen = await this.tryOut(options);
    for (const link of links) {
      this.enabled.add(link);
      try {
        seen = await this.tryOut(options);
      } catch (error) {
        this.enabled.delete(link);
        onFailed(link, error);
      }
    }
    return seen;
  }

  /** Runs a probe with the links enabled now. */
  async tryOut(options: SandboxOptions): Promise<Observation> {
    const path = join(options.cacheDirectory, `probe-${process.pid}-${this.enabled.size}`);
    const directory = EngineDirectory.create(path, this.userOf(0));
    try {
      return await runProbe({
        command: this.command(directory),
        environment: this.environment(directory.temporaryPath),
        readable: this.#readable,
        directory,
        timeoutMs: options.probeTimeoutMs ?? 20_000,
      });
    } finally {
      await directory.remove();
    }
  }

  #limits(): string[] {
    const limits: string[] = [];
    if (this.enabled.has('limits')) {
      const openFiles = ownHardLimit('open files', this.wantedOpenFiles);
      const stack = ownHardLimit('stack size', this.stackBytes);
      limits.push('--core=0', `--stack=${stack}:${stack}`, `--nofile=${openFiles}:${openFiles}`);
    }
    const { memoryBytes } = this.#options;
    if (this.enabled.has('memory-limit') && memoryBytes !== undefined) {
      limits.push(`--data=${memoryBytes}:${memoryBytes}`);
    }
    return limits;
  }

  #restrictions(prctl: number, directory: EngineDirectory): Restrictions {
    const seccomp = this.enabled.has('seccomp') ? seccompFilter(process.arch) : undefined;
    const landlock = this.enabled.has('landlock')
      ? landlockRuleset(this.#landlockVersion, {
          program: process.execPath,
          readable: this.#readable,
          writable: directory.path,
        })
      : undefined;
    return {
      prctl,
      disableHugePages: this.enabled.has('huge-pages'),
      ...(landlock && { landlock }),
      ...(seccomp && { seccomp }),
    };
  }

  #probeLandlock(): number {
    const perl = this.#tools.get('perl');
    if (process.platform !== 'linux' || perl === undefined) return 0;
    const answer = spawnSync(perl, ['-e', landlockVersionScript], { env: {}, encoding: 'utf8' });
    return Number.parseInt(answer.stdout, 10) || 0;
  }
}

/** What Node.js reads to run `entry`: its folder, and every `node_modules` and `package.json` above it. */
export function applicationPaths(entry: string): string[] {
  const paths = [dirname(entry)];
  for (let folder = dirname(entry); ; folder = dirname(folder)) {
    for (const name of ['node_modules', 'package.json']) {
      const path = join(folder, name);
      if (existsSync(path)) paths.push(path);
    }
    if (folder === dirname(folder)) return paths;
  }
}

/** `wanted`, or the hard limit of this process where that is lower. */
function ownHardLimit(name: string, wanted: number): number {
  if (process.platform !== 'linux') return wanted;
  const line = new RegExp(`^Max ${name}\\s+\\S+\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/limits', 'utf8'));
  return line?.[1] === undefined ? wanted : Math.min(wanted, Number(line[1]));
}
