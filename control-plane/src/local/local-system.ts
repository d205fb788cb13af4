import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isToLauncher, type ToControlPlane } from '../launcher-messages.js';
import { organization } from '../organization.js';
import { BoundedLog } from './bounded-log.js';
import { createDirectories, createSecrets, dataDirectoryLayout, type DataDirectory } from './data-directory.js';
import { lockDirectory, type DirectoryLock } from './directory-lock.js';
import { childrenFileContent, waitForPreviousRun } from './previous-run.js';
import { readFileIfPresent, writePrivateFile } from './private-file.js';
import type { LocalSettings } from './settings.js';
import { SupervisedChild } from './supervised-child.js';

const host = '127.0.0.1';
const logBytes = 10 * 1024 * 1024;
const previousRunBudgetMs = 30_000;
const controlPlaneGraceMs = 12_000;
const dataNodeGraceMs = 45_000;
/** Settings that lead to what only the data node may reach. */
const dataNodeOnly = new Set([
  'TURSO_BYOC_STORE_DIR',
  'TURSO_BYOC_KEY_SERVICE',
  'TURSO_BYOC_KEY_DIR',
  'TURSO_BYOC_CACHE_DIR',
]);
/** Name of the platform token that the launcher hands to its user. */
const platformTokenName = 'local';

export interface LocalSystemOptions extends LocalSettings {
  /** Shows a line to the person at the terminal. */
  readonly report: (line: string) => void;
  /** The environment that the children inherit. */
  readonly environment: NodeJS.ProcessEnv;
  /** Other programs than this product's own, for tests. */
  readonly entries?: { readonly dataNode?: string; readonly controlPlane?: string };
}

/** How to reach a running local system; the content of `local.json`. */
export interface LocalAccess {
  readonly apiUrl: string;
  readonly dataUrl: string;
  readonly organization: string;
  readonly group: string;
  /** A platform token. */
  readonly token: string;
  /** The launcher's process. */
  readonly pid: number;
}

/**
 * Threads of the data node that wait for the file system. Most of a creation is waiting for four or five fsyncs, which the file
 * system makes good together: with libuv's four threads the processors are idle meanwhile.
 */
const storeThreads = '16';

/** A data node and a control plane on this machine, in one data directory, kept running until they are stopped. */
export class LocalSystem {
  readonly directory: DataDirectory;
  readonly #dataNode: SupervisedChild;
  readonly #controlPlane: SupervisedChild;
  readonly #logs: BoundedLog[] = [];
  #lock: DirectoryLock | undefined;
  // 0 until the child has found a free port; the same one ever after.
  #httpPort: number;
  #adminPort = 0;
  #apiPort: number;
  #knownToken: string | undefined;
  #tokenArrived: (token: string) => void = () => undefined;
  #childrenWritten: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;

  constructor(private readonly options: LocalSystemOptions) {
    this.directory = dataDirectoryLayout(options.dataDirectory);
    this.#httpPort = options.httpPort;
    this.#apiPort = options.apiPort;
    const common = { report: options.report, onProcessChange: () => this.#writeChildren() };
    this.#dataNode = new SupervisedChild({
      ...common,
      name: 'data node',
      entry: options.entries?.dataNode ?? fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/main.js')),
      environment: () => this.#dataNodeEnvironment(),
      openLog: () => this.#openLog('data-node.log'),
      onMessage: (message) => this.#onDataNodeMessage(message),
    });
    this.#controlPlane = new SupervisedChild({
      ...common,
      name: 'control plane',
      entry: options.entries?.controlPlane ?? fileURLToPath(new URL('../main.js', import.meta.url)),
      environment: () => this.#controlPlaneEnvironment(),
      openLog: () => this.#openLog('control-plane.log'),
      onMessage: (message) => this.#onControlPlaneMessage(message),
    });
  }

  /** Process ids of the parts that run now. */
  get processes(): { readonly dataNode: number | undefined; readonly controlPlane: number | undefined } {
    return { dataNode: this.#dataNode.pid, controlPlane: this.#controlPlane.pid };
  }

  /**
   * Starts everything and writes `local.json`. Throws `DATA_DIRECTORY_IN_USE` and `CHILD_NOT_STARTED`; then nothing is
   * left running.
   */
  async start(): Promise<LocalAccess> {
    const { directory, options } = this;
    await createDirectories(directory);
    this.#lock = await lockDirectory(directory.lock, directory.root);
    try {
      if (!(await waitForPreviousRun(directory.children, previousRunBudgetMs, options.report))) {
        options.report('a process of the previous run still runs; starting beside it');
      }
      await createSecrets(directory);
      options.report('starting the data node');
      await this.#dataNode.start();
      options.report('starting the control plane');
      const token = await this.#startControlPlane();
      const access = this.#access(token);
      await writePrivateFile(directory.localJson, `${JSON.stringify(access, null, 2)}\n`);
      return access;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops the control plane, then the data node once it has drained, and frees the data directory. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#stopEverything();
    return this.#stopped;
  }

  /** Ends both parts at once, without draining; what was acknowledged is stored. */
  kill(): void {
    this.#controlPlane.kill();
    this.#dataNode.kill();
  }

  async #stopEverything(): Promise<void> {
    if (this.#lock === undefined) return;
    await rm(this.directory.localJson, { force: true });
    await this.#controlPlane.stop(controlPlaneGraceMs);
    await this.#dataNode.stop(dataNodeGraceMs);
    await this.#childrenWritten;
    for (const log of this.#logs) log.close();
    this.#lock.release();
  }

  /** Starts the control plane and returns the platform token for its user: the one of the last start while it is valid. */
  async #startControlPlane(): Promise<string> {
    const { platformToken } = this.directory;
    this.#knownToken = (await readFileIfPresent(platformToken))?.trim();
    const tokenArrived = new Promise<string>((resolve) => {
      this.#tokenArrived = resolve;
    });
    await this.#controlPlane.start();
    const token = await tokenArrived;
    if (token !== this.#knownToken) await writePrivateFile(platformToken, `${token}\n`);
    this.#knownToken = token;
    return token;
  }

  #access(token: string): LocalAccess {
    return {
      apiUrl: `http://${host}:${this.#apiPort}`,
      dataUrl: `http://${host}:${this.#httpPort}`,
      organization,
      group: 'default',
      token,
      pid: process.pid,
    };
  }

  #onDataNodeMessage(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    const { type, httpPort, adminPort } = message as Record<string, unknown>;
    if (type !== 'ready' || typeof httpPort !== 'number' || typeof adminPort !== 'number') return;
    this.#httpPort = httpPort;
    this.#adminPort = adminPort;
  }

  #onControlPlaneMessage(message: unknown): void {
    if (!isToLauncher(message)) return;
    if (message.type === 'platform-token') {
      this.#tokenArrived(message.token);
      return;
    }
    this.#apiPort = message.apiPort;
    // Asked after every start, because a control plane that died may have died before it answered.
    this.#controlPlane.send({
      type: 'ensure-platform-token',
      name: platformTokenName,
      ...(this.#knownToken === undefined ? {} : { current: this.#knownToken }),
    } satisfies ToControlPlane);
  }

  #dataNodeEnvironment(): NodeJS.ProcessEnv {
    return {
      UV_THREADPOOL_SIZE: storeThreads,
      ...this.options.environment,
      TURSO_BYOC_STORE_DIR: this.directory.store,
      TURSO_BYOC_KEY_DIR: this.directory.keys,
      TURSO_BYOC_CACHE_DIR: this.directory.cache,
      TURSO_BYOC_HTTP_HOST: host,
      TURSO_BYOC_HTTP_PORT: String(this.#httpPort),
      TURSO_BYOC_ADMIN_HOST: host,
      TURSO_BYOC_ADMIN_PORT: String(this.#adminPort),
      TURSO_BYOC_ADMIN_CREDENTIAL_FILE: this.directory.adminCredential,
      TURSO_BYOC_COMMIT_WINDOW_MS: String(this.options.commitWindowMs),
    };
  }

  /** The control plane is told nothing that leads to data, log or keys, not even what the launcher was given itself. */
  #controlPlaneEnvironment(): NodeJS.ProcessEnv {
    const inherited = Object.entries(this.options.environment).filter(([name]) => !dataNodeOnly.has(name));
    return {
      ...Object.fromEntries(inherited),
      TURSO_BYOC_API_HOST: host,
      TURSO_BYOC_API_PORT: String(this.#apiPort),
      TURSO_BYOC_DATA_URL: `http://${host}:${this.#httpPort}`,
      TURSO_BYOC_ADMIN_URL: `http://${host}:${this.#adminPort}`,
      TURSO_BYOC_ADMIN_CREDENTIAL_FILE: this.directory.adminCredential,
      TURSO_BYOC_SIGNING_KEY_FILE: this.directory.signingKey,
      TURSO_BYOC_CONTROL_STORE_DIR: this.directory.controlStore,
      TURSO_BYOC_HOSTNAME_SUFFIX: `localhost:${this.#httpPort}`,
      TURSO_BYOC_PRIMARY_REGION: 'local',
    };
  }

  /** Notes the running processes, for a launcher that comes after this one was killed. */
  #writeChildren(): void {
    const pids = [this.#dataNode.pid, this.#controlPlane.pid].filter((pid) => pid !== undefined);
    this.#childrenWritten = this.#childrenWritten
      .then(async () => writePrivateFile(this.directory.children, childrenFileContent(pids)))
      .catch((error: unknown) => {
        this.options.report(`cannot write ${this.directory.children}: ${String(error)}`);
      });
  }

  #openLog(fileName: string): BoundedLog {
    const log = new BoundedLog(join(this.directory.logs, fileName), logBytes);
    this.#logs.push(log);
    return log;
  }
}
