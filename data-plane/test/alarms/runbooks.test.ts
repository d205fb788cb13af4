/** Every alarm has a runbook of one form, and what runbooks tell people to run works against started servers. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { pino } from 'pino';
// The built files: the control plane exports nothing.
import { readConfig } from '../../../control-plane/dist/config.js';
import { startControlPlane } from '../../../control-plane/dist/control-plane.js';
import { systemClock } from '../../../control-plane/dist/clock.js';
import { alarms } from '../../src/metering/alarms/alarms.js';
import { DataNode } from '../support/data-node.js';

const run = promisify(execFile);
const root = new URL('../../../', import.meta.url);
const directory = new URL('docs/runbooks/', root);
const pages = (await readdir(directory)).filter((name) => name !== 'README.md');
const textOf = async (page: string): Promise<string> => readFile(new URL(page, directory), 'utf8');
const commandsIn = (text: string): string[] =>
  [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, body]) => body!.trim());
const sourcesOf = async (...folders: string[]): Promise<string[]> => {
  const names = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(new URL(folder, root), { recursive: true }))
        .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
        .map((name) => new URL(folder + name, root)),
    ),
  );
  return Promise.all(names.flat().map(async (name) => readFile(name, 'utf8')));
};
// Those are run by the AWS CLI in an emulated deployment: .ci/deploy-into-moto.js.
const needsAws = (command: string): boolean => /^(aws|cdk) /.test(command);

describe('runbooks', () => {
  it('are there for every alarm, and each is in the list', async () => {
    expect(pages).toEqual(expect.arrayContaining(alarms.map(({ name }) => `${name}.md`)));
    const list = await textOf('README.md');
    for (const page of pages) expect(list).toContain(`](${page})`);
  });

  it.each(pages)('%s says what it means, how to look, what to do, and leads only to what is there', async (page) => {
    const text = await textOf(page);
    expect([...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title)).toEqual([
      'What it means',
      'How to look',
      'What to do',
    ]);
    expect(commandsIn(text).length).toBeGreaterThan(0);
    for (const [, target] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) await readFile(new URL(target!, directory));
    const { scripts } = JSON.parse(await readFile(new URL('package.json', root), 'utf8')) as { scripts: object };
    for (const [, script] of text.matchAll(/npm run ([a-z:-]+)/g)) expect(Object.keys(scripts)).toContain(script);
  });

  it('look for metrics that there are', async () => {
    const known = await readFile(new URL('../metrics.md', directory), 'utf8');
    for (const page of pages) {
      for (const [, names] of (await textOf(page)).matchAll(/\^turso_byoc_\(([^']*)\)'/g)) {
        for (const name of names!.split('|')) {
          const metric = /^[a-z_]+?(?=_\(|_count$|_(?:sum$)|\.|\)|$)/.exec(name)?.[0] ?? name;
          if (/^(count|sum)\)?$/.test(name)) continue;
          expect([page, name, known.includes(`\`turso_byoc_${metric}\``)]).toEqual([page, name, true]);
        }
      }
    }
  });

  it('look for log lines that there are', async () => {
    const sources = await sourcesOf('data-plane/src/', 'control-plane/src/');
    const reported = sources.flatMap((text) =>
      [...text.matchAll(/(?:report\(|\.(?:info|warn|error|fatal)\()[^;]*?'([^'\n]+)'/g)].map(([, line]) => line!),
    );
    for (const page of pages) {
      for (const [, words] of (await textOf(page)).matchAll(/--filter-pattern '([^'{]+)'/g)) {
        expect([page, words, reported.some((line) => line.includes(words!))]).toEqual([page, words, true]);
      }
    }
  });

  it('tell people to run commands that work', async () => {
    const node = await DataNode.start();
    const control = await startControlPlane({
      config: readConfig({
        TURSO_BYOC_API_PORT: '0',
        TURSO_BYOC_METRICS_PORT: '0',
        TURSO_BYOC_DATA_URL: node.url,
        TURSO_BYOC_ADMIN_URL: node.adminUrl,
        TURSO_BYOC_ADMIN_CREDENTIAL_FILE: node.credentialFile,
        TURSO_BYOC_SIGNING_KEY_SEED: randomBytes(32).toString('hex'),
        TURSO_BYOC_CONTROL_STORE_DIR: `${node.storeDirectory}/control`,
        TURSO_BYOC_HOSTNAME_SUFFIX: 'localhost:8080',
      }),
      clock: systemClock,
      logger: pino({ level: 'silent' }),
      signal: new AbortController().signal,
    });
    const env = {
      ...process.env,
      DATA_URL: node.url,
      ADMIN_URL: node.adminUrl,
      CONTROL_URL: `http://127.0.0.1:${control.apiPort}`,
      CONTROL_METRICS_URL: `http://127.0.0.1:${control.metricsPort ?? 0}`,
      ADMIN_CREDENTIAL_FILE: node.credentialFile,
      CACHE_DIR: node.cacheDirectory,
    };
    try {
      const texts = await Promise.all(pages.map(textOf));
      const commands = new Set(texts.flatMap(commandsIn).filter((command) => !needsAws(command)));
      expect(commands.size).toBeGreaterThan(20);
      for (const command of commands) {
        const ended = await run('bash', ['-o', 'pipefail', '-c', command], { env, cwd: root }).then(
          ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
          (error: unknown) => error as { code: number; stdout: string; stderr: string },
        );
        // A search for what has not happened finds nothing, and says so with 1.
        const expected = command.includes(' | grep ')
          ? { code: ended.code === 1 ? 1 : 0, stderr: '' }
          : { code: 0, stdout: expect.stringMatching(/\S/) };
        expect({ command, ...ended }).toMatchObject({ command, ...expected });
      }
    } finally {
      await control.stop();
      await node.dispose();
    }
  });
});
