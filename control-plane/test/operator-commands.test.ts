/** The commands of operators, run as a person runs them. */
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const program = (path: string): string => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));

async function run(path: string, words: string[], environment: NodeJS.ProcessEnv = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    const env = { ...process.env, ...environment };
    execFile(process.execPath, [program(path), ...words], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
    });
  });
}

describe('commands of operators', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    for (const name of ['one', 'two']) await local.api.databases.create(name);
  });
  afterAll(async () => local.stop());

  it('rebuild-catalog reports no drift where there is none, and says what it needs', async () => {
    const environment = { TURSO_PLATFORM_TOKEN: local.system.token };
    for (const words of [['--dry-run'], []]) {
      const { code, output } = await run(
        'drift/rebuild-catalog-command.js',
        [...words, '--url', local.system.apiUrl],
        environment,
      );
      expect([code, output]).toEqual([0, '2 databases on the data plane, 2 in the catalog, 0 differ, 0 put back\n']);
    }
    const here = await run('drift/rebuild-catalog-command.js', ['--dry-run'], {
      TURSO_BYOC_DATA_DIR: local.dataDirectory,
    });
    expect(here.code).toBe(0);
    const without = await run('drift/rebuild-catalog-command.js', ['--url', local.system.apiUrl], {
      TURSO_PLATFORM_TOKEN: '',
    });
    expect(without).toEqual({ code: 2, output: 'TURSO_PLATFORM_TOKEN is not set\n' });
    const wrong = await run('drift/rebuild-catalog-command.js', ['--url', local.system.apiUrl], {
      TURSO_PLATFORM_TOKEN: 'x',
    });
    expect(wrong).toMatchObject({ code: 2, output: expect.stringMatching(/AUTH_TOKEN_INVALID/) as string });
    expect((await run('drift/rebuild-catalog-command.js', ['--help'])).output).toMatch(
      /^usage: npm run rebuild-catalog/,
    );
  });

  it('verify-audit proves what was exported, with everything stopped, and finds what was altered', async () => {
    await local.system.stop();
    const control = join(local.dataDirectory, 'store', 'control');
    const store = pathToFileURL(control).href;
    const whole = await run('audit/verify-audit-command.js', ['--store', store]);
    expect(whole.code).toBe(0);
    const [, entries, head] = /^1 objects, (\d+) entries, head (\S+)$/m.exec(whole.output) ?? [];
    expect(Number(entries)).toBeGreaterThanOrEqual(2);
    expect((await run('audit/verify-audit-command.js', ['--store', store, '--head', head!])).code).toBe(0);
    const later = await run('audit/verify-audit-command.js', ['--store', store, '--head', `99:${'0'.repeat(64)}`]);
    expect(later).toMatchObject({ code: 1, output: expect.stringMatching(/ends before entry 99/) as string });

    const [name] = (await readdir(control, { recursive: true })).filter((each) => /\.jsonl,o$/.test(each));
    const path = join(control, name!);
    // Of the same length: the file has a header of its own.
    await writeFile(path, (await readFile(path, 'latin1')).replace('db-create', 'db-delete'), 'latin1');
    const altered = await run('audit/verify-audit-command.js', ['--store', store]);
    expect(altered).toMatchObject({
      code: 1,
      output: expect.stringMatching(/DAMAGED .*does not have its hash/) as string,
    });

    expect((await run('audit/verify-audit-command.js', [])).code).toBe(2);
    expect((await run('audit/verify-audit-command.js', ['--store', store, '--head', 'x'])).code).toBe(2);
    expect((await run('audit/verify-audit-command.js', ['--help'])).output).toMatch(/^usage: npm run verify-audit/);
  });
});
