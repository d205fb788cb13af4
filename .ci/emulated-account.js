/** An account of AWS in the emulator moto, with the AWS CLI and boto3 to look into it. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const python = needed('TURSO_BYOC_TEST_MOTO', '.ci/install-s3-servers');
const awsCli = needed('TURSO_BYOC_TEST_AWS_CLI', '.ci/install-aws-cli');

export class EmulatedAccount {
  #server;

  /** Starts an emulator that has the account, and nothing in it. */
  static async start({ account, region }) {
    const port = await freePort();
    const emulated = new EmulatedAccount(port, account, region);
    await emulated.#answers(port);
    return emulated;
  }

  constructor(port, account, region) {
    /** For files of whoever uses it; removed with it. */
    this.directory = mkdtempSync(join(tmpdir(), 'emulated-account-'));
    /** Leads the AWS CLI, boto3 and the CDK to the emulator, and to nothing else. */
    this.environment = {
      PATH: `${dirname(awsCli)}${delimiter}${process.env.PATH}`,
      // The CDK remembers in its home which account a key belongs to.
      HOME: this.directory,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      // Where moto's CloudFormation finds templates in its S3: it understands this one name of itself.
      AWS_ENDPOINT_URL_S3: `http://localhost:${port}`,
      AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION: `http://localhost:${port}`,
      AWS_CONFIG_FILE: join(this.directory, 'aws-config'),
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PAGER: '',
      CI: 'true',
      // The templates are held against the CDK's own rules by npm test.
      CDK_VALIDATION: 'false',
    };
    // No name of a bucket is a name of a host here.
    writeFileSync(this.environment.AWS_CONFIG_FILE, '[default]\ns3 =\n  addressing_style = path\n');
    const program = fileURLToPath(new URL('./moto-for-deploy.py', import.meta.url));
    this.#server = spawn(python, [program, '-H', '127.0.0.1', '-p', String(port)], {
      env: { ...this.environment, MOTO_ACCOUNT_ID: account },
      stdio: ['ignore', 'ignore', openSync(join(this.directory, 'moto.log'), 'w')],
    });
  }

  /** Runs a program in Python, which has boto3; gives what it printed. */
  python(program) {
    return execFileSync(python, ['-c', program], { env: this.environment, encoding: 'utf8' }).trim();
  }

  close() {
    this.#server.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #answers(port) {
    for (let waitedMs = 0; ; waitedMs += 100) {
      const answer = await fetch(`http://127.0.0.1:${port}/moto-api/`).catch(() => undefined);
      if (answer?.ok) return;
      if (waitedMs > 60_000 || this.#server.exitCode !== null) {
        this.close();
        throw new Error('moto did not start');
      }
      await delay(100);
    }
  }
}

export function must(holds, what, details) {
  if (!holds) throw new Error(`${what}: ${details}`);
  console.log(`ok: ${what}`);
}

function needed(name, script) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; eval "$(${script} --environment)"`);
  return value;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
