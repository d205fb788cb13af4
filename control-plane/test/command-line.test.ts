/** The commands that run beside a control plane, with its settings: a platform token, and the smoke test. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dataDirectoryLayout } from '../src/local/data-directory.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const run = promisify(execFile);

describe('a command of the control plane', () => {
  let local: LocalSystemForTests;
  let settings: Record<string, string>;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    const layout = dataDirectoryLayout(local.dataDirectory);
    settings = {
      // Of the control plane beside the command, in the same container: it is taken.
      TURSO_BYOC_METRICS_PORT: new URL(local.system.apiUrl).port,
      TURSO_BYOC_DATA_URL: local.system.dataUrl,
      TURSO_BYOC_ADMIN_URL: await adminUrl(local.system.processes().controlPlane!),
      TURSO_BYOC_ADMIN_CREDENTIAL_FILE: layout.adminCredential,
      TURSO_BYOC_SIGNING_KEY_FILE: layout.signingKey,
      TURSO_BYOC_CONTROL_STORE: `file://${layout.controlStore}`,
      TURSO_BYOC_HOSTNAME_SUFFIX: 'localhost:8080',
    };
  });
  afterAll(async () => local.stop());

  /** As the launcher told it to the control plane. */
  const adminUrl = async (pid: number): Promise<string> => {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    return /(?:^|\0)TURSO_BYOC_ADMIN_URL=([^\0]*)/.exec(environment)![1]!;
  };

  const command = async (name: string, argv: string[], environment = settings): Promise<string> => {
    const file = fileURLToPath(new URL(`../dist/command-line/${name}.js`, import.meta.url));
    return (await run(process.execPath, [file, ...argv], { env: environment })).stdout;
  };
  const called = async (token: string): Promise<number> =>
    (await fetch(`${local.system.apiUrl}/v1/groups`, { headers: { authorization: `Bearer ${token}` } })).status;

  it('gives a platform token, and revokes the one that had its name', async () => {
    const first = (await command('platform-token-command', ['person'])).trim();
    expect(await called(first)).toBe(200);
    const second = (await command('platform-token-command', ['person'])).trim();
    expect(await called(second)).toBe(200);
    const names = ((await local.call('GET', '/v1/auth/api-tokens')).body['tokens'] as { name: string }[]).map(
      ({ name }) => name,
    );
    expect(names.filter((name) => name === 'person')).toHaveLength(1);
  });

  it.each([[[]], [['a b']], [['a', 'b']]])('says how it is called, after %j', async (argv: string[]) => {
    await expect(command('platform-token-command', argv)).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringContaining('usage: platform-token-command.js NAME'),
    });
  });

  it('names the setting that is missing', async () => {
    await expect(command('platform-token-command', ['a'], {})).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/SETTING_INVALID: TURSO_BYOC_DATA_URL is not set/),
    });
  });

  it('creates a database, writes, reads and deletes it, and leaves nothing', async () => {
    const before = await local.call('GET', '/v1/auth/api-tokens');
    expect((await command('smoke-test-command', [local.system.apiUrl])).trim().split('\n')).toEqual([
      expect.stringMatching(/^created the database smoke-test-[0-9a-f]{8} \(/),
      'wrote a row',
      'read it',
      'deleted the database',
    ]);
    expect((await local.call('GET', '/v1/databases')).body).toMatchObject({ databases: [] });
    expect(await local.call('GET', '/v1/auth/api-tokens')).toEqual(before);
  });

  it('fails when nobody is there, and says so', async () => {
    await expect(command('smoke-test-command', ['http://127.0.0.1:1'])).rejects.toMatchObject({ code: 1 });
    await expect(command('smoke-test-command', ['127.0.0.1:1'])).rejects.toMatchObject({
      code: 78,
      stderr: expect.stringContaining('usage:'),
    });
  });
});
