/** Real S3 servers of others, started for a test on a free port of the loopback interface. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3StoreOptions } from '../../src/object-store/s3/s3-store-options.js';
import type { StorableNames } from '../object-store-contract.js';

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

/**
 * Declares tests that need a server of a kind. Where none is installed one test says so, by name, in the report and in a
 * line of its own.
 */
export function describeWithServer(kind: S3ServerKind, about: string, body: (server: () => S3Server) => void): void {
  const installed = process.env[kind.variable];
  describe(`${about} (${kind.name})`, () => {
    if (!installed) {
      const note = `skipped: no S3 server ${kind.name} given (set ${kind.variable}, see .ci/install-s3-servers)`;
      it(note, () => {
        process.stderr.write(`${about}: ${note}\n`);
      });
      return;
    }
    let server: S3Server | undefined;
    beforeAll(async () => {
      server = await S3Server.start(kind, installed);
    });
    afterAll(async () => server?.stop());
    body(() => {
      if (!server) throw new Error(`${kind.name} was not started`);
      return server;
    });
  });
}

export class S3Server {
  #names = 0;

  private constructor(
    readonly endpoint: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(kind: S3ServerKind, installed: string): Promise<S3Server> {
    for (let attempt = 1; ; attempt++) {
      const server = await S3Server.#tryToStart(kind, installed);
      if (server instanceof S3Server) return server;
      // Somebody else may have taken the port that was free a moment ago.
      if (attempt === 3) throw new Error(`${kind.name} did not start:\n${server.output}`);
    }
  }

  static async #tryToStart(kind: S3ServerKind, installed: string): Promise<S3Server | { output: string }> {
    const directory = await mkdtemp(join(tmpdir(), `${kind.name}-`));
    const port = await freePort();
    const { program, arguments: given } = kind.command(installed, { directory, port });
    const child = spawn(program, given, {
      env: {
        ...process.env,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output = (output + chunk.toString()).slice(-4_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const gone = once(child, 'close');
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await gone;
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    };
    const endpoint = `http://127.0.0.1:${port}`;
    while (child.exitCode === null && child.signalCode === null) {
      if (await accepts(port)) return new S3Server(endpoint, stop);
      await delay(50);
    }
    await stop();
    return { output };
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
