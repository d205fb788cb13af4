/**
 * Runs the commands that stand in the documents: those of a block that nothing is said about against a system that was
 * started for the purpose, in a directory of its own; of a block that is only asked for help every option that it names.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { startLocal, type RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';
import { fillShop, sampleFile } from '../../data-plane/test/support/sample-file.js';
import { npmCommands, treatmentOf } from './commands.js';
import { blocksOf, readDocuments } from './documents.js';

const run = promisify(execFile);
const repository = resolve('.');
const blocks = readDocuments(repository)
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'sh')
  .map((block) => ({ ...block, where: `${block.path}:${block.line}`, treatment: treatmentOf(block) }));

describe('blocks that are run', () => {
  let directory: string;
  let system: RunningLocalSystem | undefined;
  let environment: Record<string, string>;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'documented-commands-'));
    await placeRepository(directory);
    system = await startLocal({
      dataDirectory: join(directory, '.turso-byoc'),
      httpPort: 0,
      apiPort: 0,
      commitWindowMs: 10,
      report: () => undefined,
      environment: { ...process.env, TURSO_BYOC_LOG_LEVEL: 'warn' },
    });
    const { apiUrl, token, organization, group } = system;
    await writeFile(join(directory, '.turso-byoc', 'local.json'), JSON.stringify({ ...system, processes: undefined }));
    const call = async (method: string, path: string, body?: object): Promise<any> => {
      const answer = await fetch(`${apiUrl}/v1/organizations/${organization}/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
      return answer.json();
    };
    const ids: Record<string, string> = {};
    for (const name of ['shop', 'cart', 'kept']) {
      const { database } = await call('POST', 'databases', { name, group });
      ids[name] = database.DbId;
    }
    for (const name of ['shop', 'cart']) await call('DELETE', `databases/${name}`);
    const { jwt: groupToken } = await call('POST', `groups/${group}/auth/tokens`);
    await writeFile(join(directory, 'ledger.db'), await sampleFile(fillShop(20)));
    const dump = [
      'PRAGMA foreign_keys=OFF;',
      'BEGIN TRANSACTION;',
      'CREATE TABLE t(a);',
      'INSERT INTO t VALUES(1);',
      'COMMIT;',
    ];
    await writeFile(join(directory, 'shop.sql'), `${dump.join('\n')}\n`);
    // A request that is refused is no success.
    await writeFile(join(directory, '.curlrc'), 'fail-with-body\nsilent\nshow-error\n');
    environment = {
      ADMIN_URL: await environmentOf(system.processes().controlPlane!, 'TURSO_BYOC_ADMIN_URL'),
      ADMIN_CREDENTIAL: (await readFile(join(directory, '.turso-byoc', 'secrets', 'admin-credential'), 'utf8')).trim(),
      API: apiUrl,
      SQL_URL: system.dataUrl,
      GROUP_TOKEN: groupToken,
      TOKEN: token,
      ORG: organization,
      DB_ID: ids['kept']!,
      DELETED_ID: ids['cart']!,
      CURL_HOME: directory,
      TURSO_BYOC_STORE_DIR: join(directory, '.turso-byoc', 'store'),
      TURSO_BYOC_KEY_DIR: join(directory, '.turso-byoc', 'keys'),
    };
  });

  afterAll(async () => {
    await system?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const toRun = blocks.filter(({ treatment }) => treatment.kind === 'run');
  test('are there', () => expect(toRun.length).toBeGreaterThan(5));

  test.each(toRun)('$where', async ({ content }) => {
    const result = await run('bash', ['-euo', 'pipefail', '-c', content], {
      cwd: directory,
      env: { ...process.env, ...environment, PWD: directory },
      timeout: 120_000,
    }).catch((error: unknown) => error as { stdout: string; stderr: string; code: number });
    const code = 'code' in result ? result.code : 0;
    if (code !== 0) throw new Error(`it ended with ${code}: ${result.stdout}${result.stderr}`);
  });
});

describe('blocks that are asked for help', () => {
  const asked = blocks
    .filter(({ treatment }) => treatment.kind === 'help only')
    .flatMap(({ where, content }) => npmCommands(content).map((command) => ({ where, ...command })));

  test.each(asked)('$where npm run $script', async ({ script, options }) => {
    const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: Record<string, string> };
    // Without the build before it: what is tested is built.
    const command = scripts[script]!.split('&&')
      .at(-1)!
      .replace(/\bexec /, '')
      .trim();
    if (['lint', 'test'].includes(script)) return;
    const help = await helpOf(command);
    expect(help.length).toBeGreaterThan(80);
    for (const option of options) expect(help).toContain(option);
  });
});

const helps = new Map<string, Promise<string>>();

/** What a command prints for `--help`. Throws when it does not end with 0. */
async function helpOf(command: string): Promise<string> {
  let help = helps.get(command);
  if (!help) {
    help = run('sh', ['-c', `${command} --help`], { timeout: 60_000 }).then(({ stdout, stderr }) => stdout + stderr);
    helps.set(command, help);
  }
  return help;
}

/** Makes a directory look like the repository, built: its scripts build nothing. */
async function placeRepository(directory: string): Promise<void> {
  const entries = await readdir(repository);
  for (const entry of entries.filter((name) => !name.startsWith('.') && name !== 'package.json')) {
    await symlink(join(repository, entry), join(directory, entry));
  }
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as { scripts: Record<string, string> };
  manifest.scripts['build'] = 'true';
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest));
}

async function environmentOf(pid: number, name: string): Promise<string> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
  return environment
    .split('\0')
    .find((entry) => entry.startsWith(`${name}=`))!
    .slice(name.length + 1);
}
