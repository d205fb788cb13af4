/** A real S3 server on a directory of this machine (versitygw), for nodes that share their stores. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { NodeEnvironment } from './data-node.js';
import { freePort } from './free-port.js';

/** The variable that names its program, as `.ci/install-s3-servers` sets it. */
export const s3ServerVariable = 'TURSO_BYOC_TEST_VERSITYGW';

const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' };
const region = 'us-east-1';
const startMs = 20_000;
const pollMs = 50;

export class S3Server {
  private constructor(
    private readonly child: ChildProcess,
    private readonly endpoint: string,
  ) {}

  /** `directory` is created; it gets what the server stores. Throws `Error` with what it printed when it does not come up. */
  static async start(program: string, directory: string): Promise<S3Server> {
    await mkdir(directory);
    const port = await freePort();
    const child = spawn(program, ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', directory], {
      env: { ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let printed = '';
    child.stderr.on('data', (part: Buffer) => {
      printed = (printed + part.toString()).slice(-4_000);
    });
    const server = new S3Server(child, `http://127.0.0.1:${port}`);
    const untilMs = performance.now() + startMs;
    for (;;) {
      try {
        for (const bucket of ['bench-data', 'bench-log']) await server.#createBucket(bucket);
        return server;
      } catch (cause) {
        if (performance.now() >= untilMs || child.exitCode !== null) {
          child.kill('SIGKILL');
          throw new Error(`the S3 server did not start:\n${printed}`, { cause });
        }
      }
      await sleep(pollMs);
    }
  }

  /** Settings of nodes that have their data and their logs there. */
  get environment(): NodeEnvironment {
    return {
      AWS_ENDPOINT_URL: this.endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      TURSO_BYOC_DATA_STORE: 's3://bench-data/bench',
      TURSO_BYOC_LOG_STORE: 's3://bench-log/bench',
    };
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  async #createBucket(bucket: string): Promise<void> {
    const client = new S3Client({ region, endpoint: this.endpoint, forcePathStyle: true, credentials, maxAttempts: 1 });
    try {
      await client.send(new CreateBucketCommand({ Bucket: bucket }));
    } finally {
      client.destroy();
    }
  }
}
