/**
 * A real data node process for tests: started from `dist/`, on free ports, with its stores in a temporary directory. It
 * can be killed, started again, robbed of its cache.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompactSign } from 'jose';
import {
  accessRulesIndexObject,
  accessRulesIndexType,
  accessRulesShardObject,
  encodeShard,
  shardOf,
  type SubjectRules,
} from '@turso-byoc/data-plane/auth/access-rules.js';
import { verificationKeysObject } from '@turso-byoc/data-plane/auth/claims.js';
import { digestToSign, joinSigned } from '@turso-byoc/data-plane/auth/signed-content.js';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import { keySetBytes, tokenIssuer } from './token-issuer.js';

const productEntry = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/main.js'));

/** What runs in the node's process, where it is not the product as it is. */
export interface NodeProgram {
  /** @default the product's own entry point */
  readonly entry?: string;
  /** Arguments for Node.js itself. */
  readonly nodeArguments?: readonly string[];
}

/** Leases for nodes beside each other: long enough for a busy machine. */
export const sharedLease = { TURSO_BYOC_BEAT_MS: '500', TURSO_BYOC_LEASE_MS: '4000' } as const;

export interface TestDatabase {
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly token: string;
  /** Sent with every request, beside the token. */
  readonly headers?: Readonly<Record<string, string>>;
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
  /** Every message of the node's process, by its `type`. */
  readonly messages = new EventEmitter();
  readonly cacheDirectory: string;
  readonly #environment: Record<string, string>;
  #program: NodeProgram;
  readonly #issuer: ReturnType<typeof tokenIssuer>;
  readonly #credential: string;
  readonly logLines: string[] = [];
  #child: ChildProcess | undefined;
  #httpPort = 0;
  #adminPort = 0;

  private constructor(directory: string, environment: Record<string, string>, program: NodeProgram, other?: DataNode) {
    this.directory = directory;
    this.cacheDirectory = join(directory, other ? `cache-${randomUUID()}` : 'cache');
    this.#environment = environment;
    this.#program = program;
    this.#issuer = other ? other.#issuer : tokenIssuer('test');
    this.#credential = other ? other.#credential : randomUUID() + randomUUID();
  }

  /** Starts a node on an empty store. `environment` adds settings to those the harness makes. */
  static async start(environment: Record<string, string> = {}, program: NodeProgram = {}): Promise<DataNode> {
    const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-node-'));
    await chmod(directory, 0o711);
    const node = new DataNode(directory, environment, program);
    for (const name of ['store', 'store/control']) await mkdir(join(directory, name));
    await writeFile(node.credentialFile, node.#credential, { mode: 0o600 });
    const control = await LocalObjectStore.open(join(directory, 'store', 'control'));
    await control.put(verificationKeysObject, keySetBytes(1, node.#issuer), { ifAbsent: true });
    await node.restart();
    return node;
  }

  /** Starts one more node on the stores and keys of this one, with a cache of its own. To be ended before `dispose`. */
  async startBeside(environment: Record<string, string> = {}, program: NodeProgram = this.#program): Promise<DataNode> {
    const node = new DataNode(this.directory, { ...this.#environment, ...environment }, program, this);
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

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get storeDirectory(): string {
    return join(this.directory, 'store');
  }

  get keyDirectory(): string {
    return join(this.directory, 'keys');
  }

  get credentialFile(): string {
    return join(this.directory, 'credential');
  }

  /** Starts the process again, on the ports it had; `program`: what runs in it from now on. */
  async restart(environment: Record<string, string> = {}, program: NodeProgram = this.#program): Promise<void> {
    this.#program = program;
    const { entry = productEntry, nodeArguments = [] } = this.#program;
    const child = spawn(process.execPath, [...nodeArguments, entry], {
      env: {
        ...process.env,
        TURSO_BYOC_STORE_DIR: this.storeDirectory,
        TURSO_BYOC_KEY_DIR: this.keyDirectory,
        TURSO_BYOC_CACHE_DIR: this.cacheDirectory,
        TURSO_BYOC_HTTP_PORT: String(this.#httpPort),
        TURSO_BYOC_ADMIN_PORT: String(this.#adminPort),
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: this.credentialFile,
        TURSO_BYOC_ENGINE_PROCESSES: '2',
        // A successor waits for a lease. For nodes beside each other there is `sharedLease`.
        TURSO_BYOC_BEAT_MS: '100',
        TURSO_BYOC_LEASE_MS: '400',
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
    child.on('message', (message: { type: string }) => this.messages.emit(message.type, message));
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

  /** Waits until the process has ended by itself. */
  async exit(): Promise<{ code: number | null; signal: string | null }> {
    const child = this.#child;
    if (!child) throw new Error('the node was never started');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return { code: child.exitCode, signal: child.signalCode };
  }

  /** Sends a message to the node's process. */
  tell(message: object): void {
    this.#child?.send(message);
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
      headers: {
        authorization: `Bearer ${this.#credential}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** A call of the admin interface whose body is no JSON. */
  async adminBytes(method: string, path: string, body: Uint8Array): Promise<Response> {
    const headers = { authorization: `Bearer ${this.#credential}`, 'content-type': 'application/octet-stream' };
    return fetch(this.adminUrl + path, { method, headers, body });
  }

  /** `more`: fields of the request beside the usual ones. */
  async createDatabase(
    name: string,
    engine: 'libsql' | 'tursodb' = 'libsql',
    more: Record<string, unknown> = {},
  ): Promise<TestDatabase> {
    const id = randomUUID();
    const group = { id: '00000000-0000-4000-8000-000000000001', name: 'default' };
    const body = { id, name, organization: 'test', group, engine, ...more };
    const answer = await this.admin('POST', '/admin/v1/databases', body);
    if (answer.status !== 200) throw new Error(`create ${name}: ${answer.status} ${await answer.text()}`);
    return { id, name, url: `${this.url}/db/${name}-test/`, token: await this.token({ id }) };
  }

  /** The same database as this node serves it. */
  here(database: TestDatabase): TestDatabase {
    return { ...database, url: `${this.url}/db/${database.name}-test/` };
  }

  /** The sum of a counter of this node over the sets of labels in which all of `labels` occur. */
  async counted(name: string, ...labels: string[]): Promise<number> {
    return countedIn(await this.metrics(), name, ...labels);
  }

  /** All counters at one moment, as Prometheus would read them. */
  async metrics(): Promise<string> {
    return (await this.admin('GET', '/admin/v1/metrics')).text();
  }

  /** Publishes access rules as the control plane does; the node follows within ten seconds, or with its first request. */
  async rule(version: number, subjects: Record<string, SubjectRules>): Promise<void> {
    const control = await LocalObjectStore.open(join(this.storeDirectory, 'control'));
    const shards: Record<string, Record<string, SubjectRules>> = {};
    for (const [subject, rules] of Object.entries(subjects)) (shards[shardOf(subject)] ??= {})[subject] = rules;
    const digests: Record<string, string> = {};
    for (const [shard, ruled] of Object.entries(shards)) {
      const { body, digest } = encodeShard(ruled);
      digests[shard] = digest;
      await control.put(accessRulesShardObject(shard, digest), body, { ifAbsent: true });
    }
    const content = Buffer.from(JSON.stringify({ format: 'turso-byoc/access-rules/1', version, shards: digests }));
    const signature = await new CompactSign(digestToSign(content))
      .setProtectedHeader({ alg: 'EdDSA', kid: this.#issuer.kid, typ: accessRulesIndexType })
      .sign(this.#issuer.privateKey);
    const present = await control.get(accessRulesIndexObject);
    const condition = present ? { ifMatch: present.etag } : ({ ifAbsent: true } as const);
    await control.put(accessRulesIndexObject, joinSigned({ signature, content }), condition);
  }

  async token(claims: Record<string, unknown>): Promise<string> {
    return this.#issuer.sign(claims);
  }

  /** Sends a body as it stands to a path below the database's, for example `v3/cursor`. Rejects when no answer comes. */
  async post(
    database: TestDatabase,
    path: string,
    body: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; text: string }> {
    const authorization = `Bearer ${database.token}`;
    const answer = await fetch(database.url + path, {
      method: 'POST',
      headers: { authorization, ...database.headers, ...headers },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  }

  /** Sends a pipeline. Rejects when no answer comes. */
  async pipeline(
    database: TestDatabase,
    requests: unknown[],
    options: { baton?: string | null; token?: string; version?: 'v2' | 'v3' } = {},
  ): Promise<PipelineAnswer> {
    const answer = await fetch(`${database.url}${options.version ?? 'v3'}/pipeline`, {
      method: 'POST',
      headers: { authorization: `Bearer ${options.token ?? database.token}`, ...database.headers },
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

/** The sum of a counter over the sets of labels in which all of `labels` occur. */
export function countedIn(metrics: string, name: string, ...labels: string[]): number {
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith(`turso_byoc_${name}`) && labels.every((label) => line.includes(label)));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
