/**
 * A real data node process for tests: started from `dist/`, on free ports, with its stores in a temporary directory. It
 * can be killed, started again, robbed of its cache.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verificationKeysObject } from '../../src/auth/claims.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { keySetBytes, tokenIssuer } from './token-issuer.js';

const entry = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface TestDatabase {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly token: string;
}

export interface PipelineAnswer {
  readonly status: number;
  readonly body: {
    baton: string | null;
    results: { type: 'ok' | 'error'; response?: { result?: any }; error?: { message: string; code: string } }[];
    error?: string;
    code?: string;
  };
}

export class DataNode {
  readonly directory: string;
  readonly #environment: Record<string, string>;
  readonly #issuer = tokenIssuer('test');
  readonly #credential = randomUUID() + randomUUID();
  readonly logLines: string[] = [];
  #child: ChildProcess | undefined;
  #httpPort = 0;
  #adminPort = 0;

  private constructor(directory: string, environment: Record<string, string>) {
    this.directory = directory;
    this.#environment = environment;
  }

  /** Starts a node on an empty store. `environment` adds settings to those the harness makes. */
  static async start(environment: Record<string, string> = {}): Promise<DataNode> {
    const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-node-'));
    await chmod(directory, 0o711);
    const node = new DataNode(directory, environment);
    for (const name of ['store', 'store/control']) await mkdir(join(directory, name));
    await writeFile(join(directory, 'credential'), node.#credential, { mode: 0o600 });
    const control = await LocalObjectStore.open(join(directory, 'store', 'control'));
    await control.put(verificationKeysObject, keySetBytes(1, node.#issuer), { ifAbsent: true });
    await node.restart();
    return node;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#httpPort}`;
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.#adminPort}`;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('the node does not run');
    return this.#child.pid;
  }

  get cacheDirectory(): string {
    return join(this.directory, 'cache');
  }

  /** Starts the process again, on the ports it had. */
  async restart(environment: Record<string, string> = {}): Promise<void> {
    const child = spawn(process.execPath, [entry], {
      env: {
        ...process.env,
        TURSO_BYOC_STORE_DIR: join(this.directory, 'store'),
        TURSO_BYOC_KEY_DIR: join(this.directory, 'keys'),
        TURSO_BYOC_CACHE_DIR: this.cacheDirectory,
        TURSO_BYOC_HTTP_PORT: String(this.#httpPort),
        TURSO_BYOC_ADMIN_PORT: String(this.#adminPort),
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: join(this.directory, 'credential'),
        TURSO_BYOC_ENGINE_PROCESSES: '2',
        ...this.#environment,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.logLines.push(...chunk.toString('utf8').split('\n').filter(Boolean));
      if (this.logLines.length > 5_000) this.logLines.splice(0, 1_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code, signal) => {
        reject(
          new Error(`the node ended at start (${String(code ?? signal)}):\n${this.logLines.slice(-20).join('\n')}`),
        );
      });
      child.once('message', (message: { httpPort: number; adminPort: number }) => {
        this.#httpPort = message.httpPort;
        this.#adminPort = message.adminPort;
        resolve();
      });
    });
  }

  /** Ends the process with a signal and waits until it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async deleteCache(): Promise<void> {
    await rm(this.cacheDirectory, { recursive: true, force: true });
  }

  /** Ends the node and removes everything. */
  async dispose(): Promise<void> {
    await this.end('SIGKILL');
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async admin(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(this.adminUrl + path, {
      method,
      headers: { authorization: `Bearer ${this.#credential}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  async createDatabase(name: string, engine: 'libsql' | 'tursodb' = 'libsql'): Promise<TestDatabase> {
    const id = randomUUID();
    const group = { id: '00000000-0000-4000-8000-000000000001', name: 'default' };
    const answer = await this.admin('POST', '/admin/v1/databases', { id, name, organization: 'test', group, engine });
    if (answer.status !== 200) throw new Error(`create ${name}: ${answer.status} ${await answer.text()}`);
    return { id, name, url: `${this.url}/db/${name}-test/`, token: await this.token({ id }) };
  }

  async token(claims: Record<string, unknown>): Promise<string> {
    return this.#issuer.sign(claims);
  }

  /** Sends a pipeline. Rejects when no answer comes. */
  async pipeline(
    database: TestDatabase,
    requests: unknown[],
    options: { baton?: string | null; token?: string; version?: 'v2' | 'v3' } = {},
  ): Promise<PipelineAnswer> {
    const answer = await fetch(`${database.url}${options.version ?? 'v3'}/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.token ?? database.token}` },
      body: JSON.stringify({ baton: options.baton ?? null, requests }),
    });
    return { status: answer.status, body: (await answer.json()) as PipelineAnswer['body'] };
  }

  /** Runs statements, each on its own, and returns the rows of the last one. Throws the first error. */
  async run(database: TestDatabase, ...statements: (string | { sql: string; args: unknown[] })[]): Promise<any[][]> {
    const requests = statements.map((stmt) => ({
      type: 'execute',
      stmt: typeof stmt === 'string' ? { sql: stmt } : stmt,
    }));
    const { status, body } = await this.pipeline(database, [...requests, { type: 'close' }]);
    if (status !== 200) throw new StatementError(body.code ?? '', `${status} ${body.error ?? ''}`);
    for (const { error } of body.results) if (error) throw new StatementError(error.code, error.message);
    const rows = body.results[statements.length - 1]?.response?.result.rows as { value?: string; base64?: string }[][];
    return rows.map((row) => row.map((cell) => cell.value ?? cell.base64 ?? null));
  }
}

export class StatementError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(`${code}: ${message}`);
  }
}
