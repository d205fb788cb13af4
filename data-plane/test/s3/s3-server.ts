/** Real S3 servers of others, started for a test on a free port of the loopback interface. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3StoreOptions } from '@turso-byoc/data-plane/object-store/s3/s3-store-options.js';
import type { StorableNames } from '../storable-names.js';

export interface S3ServerKind {
  readonly name: string;
  /** The environment variable that says where it is installed; see `.ci/install-s3-servers`. */
  readonly variable: string;
  readonly storableNames: StorableNames;
  readonly command: (
    installed: string,
    where: { directory: string; port: number },
  ) => { program: string; arguments: string[] };
}

const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
const region = 'us-east-1';

export const moto: S3ServerKind = {
  name: 'moto',
  variable: 'TURSO_BYOC_TEST_MOTO',
  storableNames: 'every',
  command: (installed, { port }) => ({
    program: installed,
    arguments: [fileURLToPath(new URL('serial-moto.py', import.meta.url)), String(port)],
  }),
};

export const versitygw: S3ServerKind = {
  name: 'versitygw',
  variable: 'TURSO_BYOC_TEST_VERSITYGW',
  storableNames: 'like files',
  command: (installed, { directory, port }) => ({
    program: installed,
    arguments: ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', directory],
  }),
};

/** Ignores the conditions of writes: what the probe must refuse. Knows one pair of credentials only. */
export const s3rver: S3ServerKind = {
  name: 's3rver',
  variable: 'TURSO_BYOC_TEST_S3RVER',
  storableNames: 'like files',
  command: (installed, { directory, port }) => ({
    program: process.execPath,
    arguments: [installed, '--directory', directory, '--address', '127.0.0.1', '--port', String(port), '--silent'],
  }),
};

export class S3Server {
  readonly endpoint: string;
  readonly #kind: S3ServerKind;
  readonly #installed: string;
  readonly #directory: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #output = '';
  #names = 0;

  private constructor(kind: S3ServerKind, installed: string, directory: string, port: number) {
    this.#kind = kind;
    this.#installed = installed;
    this.#directory = directory;
    this.#port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  static async start(kind: S3ServerKind, installed: string): Promise<S3Server> {
    for (let attempt = 1; ; attempt++) {
      const directory = await mkdtemp(join(tmpdir(), `${kind.name}-`));
      const server = new S3Server(kind, installed, directory, await freePort());
      if (await server.#run()) return server;
      await server.stop();
      // Somebody else may have taken the port that was free a moment ago.
      if (attempt === 3) throw new Error(`${kind.name} did not start:\n${server.#output}`);
    }
  }

  /** Ends the server and removes what it stored. */
  async stop(): Promise<void> {
    await this.halt();
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Kills the server; what it stored stays. */
  async halt(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }

  /** Starts it again, at the same endpoint on what it stored. Resolves when it accepts connections. */
  async resume(): Promise<void> {
    if (!(await this.#run())) throw new Error(`${this.#kind.name} did not start again:\n${this.#output}`);
  }

  /** False when the server ended at once. */
  async #run(): Promise<boolean> {
    const where = { directory: this.#directory, port: this.#port };
    const { program, arguments: given } = this.#kind.command(this.#installed, where);
    const child = spawn(program, given, {
      env: {
        ...process.env,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    // It would outlive a test that is broken off.
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    while (child.exitCode === null && child.signalCode === null) {
      if (await accepts(this.#port)) return true;
      await delay(50);
    }
    return false;
  }

  /** Options of a store in a new bucket. */
  async newStore(): Promise<S3StoreOptions> {
    this.#names += 1;
    const bucket = `bucket-${process.pid}-${this.#names}`;
    const client = new S3Client({ region, endpoint: this.endpoint, forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    return { bucket, keyPrefix: 'prefix', region, endpoint: this.endpoint, credentials };
  }

  /** The environment of a process that is to use this server. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    };
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  const accepted = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
  });
  socket.destroy();
  return accepted;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
