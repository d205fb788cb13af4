/** Real S3 servers of others, started for a test. */
import { fileURLToPath } from 'node:url';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3StoreOptions } from '@turso-byoc/data-plane/object-store/s3/s3-store-options.js';
import type { StorableNames } from '../storable-names.js';
import { ThirdPartyServer, type ServerCommand } from '../support/third-party-server.js';

export interface S3ServerKind {
  readonly name: string;
  /** The environment variable that says where it is installed; see `.ci/install-s3-servers`. */
  readonly variable: string;
  readonly storableNames: StorableNames;
  readonly command: (installed: string, where: { directory: string; port: number }) => ServerCommand;
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
  readonly #server: ThirdPartyServer;
  #names = 0;

  private constructor(server: ThirdPartyServer) {
    this.#server = server;
  }

  static async start(kind: S3ServerKind, installed: string): Promise<S3Server> {
    const environment = { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey };
    return new S3Server(
      await ThirdPartyServer.start(kind.name, (where) => ({ ...kind.command(installed, where), environment })),
    );
  }

  get endpoint(): string {
    return this.#server.endpoint;
  }

  /** Ends the server and removes what it stored. */
  async stop(): Promise<void> {
    await this.#server.stop();
  }

  /** Kills the server; what it stored stays. */
  async halt(): Promise<void> {
    await this.#server.halt();
  }

  /** Starts it again, at the same endpoint on what it stored. Resolves when it accepts connections. */
  async resume(): Promise<void> {
    await this.#server.resume();
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
