import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { newDatabaseId, type DatabaseId, type EngineName } from '@turso-byoc/data-plane/identity.js';
import { MetricsSnapshot } from '../measure/metrics-snapshot.js';
import { descendants } from '../processes/process-tree.js';
import type { RecordedAnswer } from './bare-server.js';
import type { Deployment } from './deployment.js';
import { HttpClient } from './http-client.js';
import { httpRequest, pipelineBody } from './workload.js';

const organization = 'bench';
const group = { id: randomUUID(), name: 'bench' };

/** A database as a client addresses it. */
export interface BenchDatabase {
  readonly id: DatabaseId;
  /** `<database>-<organization>` */
  readonly label: string;
}

/** Settings of the node by the names of its environment; the rest are the product's defaults. */
export type NodeEnvironment = Readonly<Record<`TURSO_BYOC_${string}` | `AWS_${string}`, string>>;

const closedPollMs = 50;
/** Added by Node.js to every answer. */
const automaticHeaders = new Set(['date', 'connection', 'keep-alive']);

/** The real data node: `main.js` of the data plane in a process of its own, with its engine processes. */
export class DataNode {
  readonly host = '127.0.0.1';
  readonly token: string;
  readonly #child: ChildProcess;
  readonly #data: HttpClient;
  readonly #admin: HttpClient;

  private constructor(
    readonly deployment: Deployment,
    child: ChildProcess,
    readonly port: number,
    readonly adminPort: number,
  ) {
    this.#child = child;
    this.token = deployment.groupToken(group.id);
    this.#data = new HttpClient(port);
    this.#admin = new HttpClient(adminPort);
  }

  /**
   * Resolves when the node serves. `preloaded`: URLs of modules that the I/O process loads before the product. Throws
   * `Error` with what it printed when it does not come up.
   */
  static async start(
    deployment: Deployment,
    environment: NodeEnvironment = {},
    preloaded: readonly string[] = [],
  ): Promise<DataNode> {
    const main = fileURLToPath(import.meta.resolve('@turso-byoc/data-plane/main.js'));
    const child = spawn(process.execPath, [...preloaded.flatMap((url) => ['--import', url]), main], {
      env: {
        PATH: process.env.PATH,
        TURSO_BYOC_STORE_DIR: deployment.storeDirectory,
        TURSO_BYOC_KEY_DIR: deployment.keyDirectory,
        TURSO_BYOC_CACHE_DIR: deployment.cacheDirectory,
        TURSO_BYOC_HTTP_PORT: '0',
        TURSO_BYOC_ADMIN_PORT: '0',
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: deployment.adminCredentialFile,
        TURSO_BYOC_LOG_LEVEL: 'error',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    const keep = (part: Buffer): void => {
      output = (output + part.toString()).slice(-4_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    const ready = await Promise.race([
      once(child, 'message').then(([message]) => message as { httpPort: number; adminPort: number }),
      once(child, 'exit').then(() => undefined),
    ]);
    if (ready === undefined) throw new Error(`the data node did not start:\n${output}`);
    child.once('exit', (code) => {
      if (code !== 0) process.stderr.write(`the data node ended with ${String(code)}:\n${output}\n`);
    });
    return new DataNode(deployment, child, ready.httpPort, ready.adminPort);
  }

  get ioProcessId(): number {
    if (this.#child.pid === undefined) throw new Error('the data node does not run');
    return this.#child.pid;
  }

  engineProcessIds(): number[] {
    return descendants(this.ioProcessId);
  }

  /** Whether the kernel may give engine processes transparent huge pages. */
  engineHugePages(): boolean {
    return this.engineProcessIds().some((pid) =>
      /^THP_enabled:\s*1$/m.test(readFileSync(`/proc/${pid}/status`, 'latin1')),
    );
  }

  /** Creates a database through the admin interface. */
  async createDatabase(name: string, engine: EngineName = 'libsql'): Promise<BenchDatabase> {
    const { id, label, body } = this.newDatabase(name, engine);
    await this.#admin.send('POST', '/admin/v1/databases', this.deployment.adminCredential, body);
    return { id, label };
  }

  /** Makes a branch of a database, as it is or as it was at a time. */
  async branchDatabase(name: string, { id: parent }: BenchDatabase, timeMs?: number): Promise<void> {
    const { body } = this.newDatabase(name);
    const branch = { parent, ...(timeMs !== undefined && { timeMs }) };
    const request = { ...(JSON.parse(body.toString('utf8')) as object), branch };
    await this.#admin.send(
      'POST',
      '/admin/v1/databases',
      this.deployment.adminCredential,
      Buffer.from(JSON.stringify(request)),
    );
  }

  /** A database that does not exist yet, and the complete HTTP request that creates it. */
  newDatabase(name: string, engine: EngineName = 'libsql'): BenchDatabase & { body: Buffer; request: Buffer } {
    const id = newDatabaseId(engine, Date.now());
    const body = Buffer.from(JSON.stringify({ id, name, organization, group, engine }));
    const request = httpRequest('/admin/v1/databases', this.deployment.adminCredential, body);
    return { id, label: `${name}-${organization}`, body, request };
  }

  /** Runs statements one after the other in one pipeline. Throws `Error` when one of them fails. */
  async execute(database: BenchDatabase, ...statements: string[]): Promise<RecordedAnswer> {
    return this.pipeline(database, pipelineBody(...statements.map((sql) => ({ type: 'execute', stmt: { sql } }))));
  }

  /** Sends one pipeline. Throws `Error` when a request in it fails. */
  async pipeline(database: BenchDatabase, body: Buffer): Promise<RecordedAnswer> {
    const answer = await this.#data.send('POST', `/db/${database.label}/v3/pipeline`, this.token, body);
    const failure = /"message":"[^"]*"/.exec(Buffer.from(answer.body).toString('utf8', 0, 4_096))?.[0];
    if (failure !== undefined) throw new Error(`a statement failed: ${failure}`);
    const headers = Object.fromEntries(Object.entries(answer.headers).filter(([name]) => !automaticHeaders.has(name)));
    return { ...answer, headers };
  }

  /** A request that touches no database: the connection is open and the server's code is loaded afterwards. */
  async warmUp(): Promise<void> {
    await this.#data.send('GET', '/health', this.token);
  }

  /** The node's own counters; asking for them causes no request to the store. */
  async metrics(): Promise<MetricsSnapshot> {
    const { body } = await this.#admin.send('GET', '/admin/v1/metrics', this.deployment.adminCredential);
    return MetricsSnapshot.parse(Buffer.from(body).toString('utf8'));
  }

  /** Resolves when the node has closed every database that nobody used. */
  async allClosed(): Promise<void> {
    while ((await this.metrics()).sum('turso_byoc_open_databases') > 0) await sleep(closedPollMs);
  }

  /** A clean end, as an orchestrator asks for it. */
  async stop(): Promise<void> {
    this.#data.close();
    this.#admin.close();
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}
