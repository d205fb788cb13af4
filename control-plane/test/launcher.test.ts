/** The program behind `npm start`, as a user meets it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../dist/local/main.js', import.meta.url));

interface LocalJson {
  apiUrl: string;
  dataUrl: string;
  organization: string;
  group: string;
  token: string;
  pid: number;
}

describe('npm start', () => {
  let directory: string;
  const started: ChildProcessWithoutNullStreams[] = [];
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'launcher-'));
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(directory, { recursive: true });
  });

  function launch(environment: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, [program], {
      env: {
        ...process.env,
        TURSO_BYOC_DATA_DIR: directory,
        TURSO_BYOC_HTTP_PORT: '0',
        TURSO_BYOC_API_PORT: '0',
        TURSO_BYOC_COMMIT_WINDOW_MS: '1',
        ...environment,
      },
    });
    started.push(child);
    let output = '';
    const exit = once(child, 'exit').then(([code]) => code as number | null);
    const shows = async (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (output.includes(text)) resolve();
        };
        child.stdout.on('data', check);
        child.stderr.on('data', check);
        void exit.then(() => reject(new Error(`it has ended without showing ${text}:\n${output}`)));
        check();
      });
    for (const stream of [child.stdout, child.stderr]) {
      stream.prependListener('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    return { child, exit, shows, output: () => output };
  }

  const readLocalJson = async (): Promise<LocalJson> =>
    JSON.parse(await readFile(join(directory, 'local.json'), 'utf8')) as LocalJson;
  const mode = async (path: string): Promise<number> => (await stat(join(directory, path))).mode & 0o777;
  const pids = async (): Promise<number[]> =>
    (JSON.parse(await readFile(join(directory, 'children.json'), 'utf8')) as { pids: number[] }).pids;

  it('starts, shows how to use it, keeps its secrets, and stops in order', async () => {
    const launcher = launch();
    await launcher.shows('Press Ctrl-C to stop.');
    const access = await readLocalJson();
    expect(access).toEqual({
      apiUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      dataUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
      organization: 'default',
      group: 'default',
      token: expect.any(String) as string,
      pid: launcher.child.pid,
    });
    for (const shown of [access.apiUrl, access.token, `${access.dataUrl}/db/first-default/`]) {
      expect(launcher.output()).toContain(shown);
    }
    expect(await mode('local.json')).toBe(0o600);
    for (const secret of ['admin-credential', 'signing-key.json', 'platform-token']) {
      expect(await mode(`secrets/${secret}`)).toBe(0o600);
    }
    for (const folder of ['secrets', 'keys', 'store', 'store/control', 'logs']) {
      expect(await mode(folder)).toBe(0o700);
    }
    expect(await mode('cache')).toBe(0o711);

    const children = await pids();
    expect(children).toHaveLength(2);
    launcher.child.kill('SIGINT');
    // What npm adds when the terminal has already delivered a Ctrl-C.
    launcher.child.kill('SIGINT');
    expect(await launcher.exit).toBe(0);
    expect(children.filter(isAlive)).toEqual([]);
    expect(await readdir(directory)).not.toContain('local.json');
    for (const log of await readdir(join(directory, 'logs'))) {
      const text = await readFile(join(directory, 'logs', log), 'utf8');
      expect(text).not.toContain(access.token);
      expect(text).not.toContain((await readFile(join(directory, 'secrets/admin-credential'), 'utf8')).trim());
    }
  });

  it('gives the same token again, and a new one when that was revoked', async () => {
    const call = async (access: LocalJson, method: string, path: string): Promise<number> =>
      (await fetch(`${access.apiUrl}${path}`, { method, headers: { authorization: `Bearer ${access.token}` } })).status;
    const run = async (use: (access: LocalJson) => Promise<void>): Promise<string> => {
      const launcher = launch();
      await launcher.shows('Press Ctrl-C to stop.');
      const access = await readLocalJson();
      await use(access);
      launcher.child.kill('SIGTERM');
      expect(await launcher.exit).toBe(0);
      return access.token;
    };
    const first = await run(async (access) => expect(await call(access, 'GET', '/v1/databases')).toBe(200));
    const second = await run(async (access) =>
      expect(await call(access, 'DELETE', '/v1/auth/api-tokens/local')).toBe(200),
    );
    const third = await run(async (access) => expect(await call(access, 'GET', '/v1/databases')).toBe(200));
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });

  it('refuses a directory that is in use, and leaves nothing behind when it is killed', async () => {
    const first = launch();
    await first.shows('Press Ctrl-C to stop.');
    const second = launch();
    expect(await second.exit).toBe(1);
    expect(second.output()).toContain(
      `the data directory ${directory} is in use by another process (pid ${first.child.pid})`,
    );
    const { apiUrl } = await readLocalJson();
    expect((await fetch(`${apiUrl}/health`)).status).toBe(200);

    const children = await pids();
    first.child.kill('SIGKILL');
    await first.exit;
    const third = launch();
    await third.shows('Press Ctrl-C to stop.');
    // The new launcher waited for them.
    expect(children.filter(isAlive)).toEqual([]);
  });

  it('can be stopped while it starts', async () => {
    const launcher = launch();
    await launcher.shows('starting the data node');
    launcher.child.kill('SIGTERM');
    expect(await launcher.exit).toBe(0);
  });

  it('says which setting is wrong', async () => {
    const launcher = launch({ TURSO_BYOC_HTTP_PORT: 'eighty' });
    expect(await launcher.exit).toBe(78);
    expect(launcher.output()).toContain('TURSO_BYOC_HTTP_PORT is "eighty"; set it to a port number');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
