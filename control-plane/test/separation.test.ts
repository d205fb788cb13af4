/** Data plane and control plane apart: neither needs what the other one has. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

describe('the data plane without the control plane', () => {
  let local: LocalSystemForTests;
  let controlPlane: number | undefined;
  beforeAll(async () => {
    local = await startLocalSystemForTests();
  });
  afterAll(async () => {
    if (controlPlane !== undefined) process.kill(controlPlane, 'SIGCONT');
    await local.stop();
  });

  it('serves, opens and recovers every existing database', async () => {
    const { api, system, open } = local;
    for (const name of ['used', 'unused']) await api.databases.create(name);
    const [used, unused] = await Promise.all(
      ['used', 'unused'].map(async (name) => (await api.databases.createToken(name)).jwt),
    );
    await open('used', used!).batch(['CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)'], 'write');

    // Stopped rather than ended: the launcher would start another one.
    controlPlane = system.processes().controlPlane!;
    process.kill(controlPlane, 'SIGSTOP');
    await expect(fetch(`${system.apiUrl}/health`, { signal: AbortSignal.timeout(1_000) })).rejects.toThrow();

    await open('used', used!).execute('INSERT INTO t VALUES (2)');
    // Never opened before: its token is verified, its key unwrapped, its file restored.
    await open('unused', unused!).batch(['CREATE TABLE t (n)', 'INSERT INTO t VALUES (3)'], 'write');

    const dataNode = system.processes().dataNode!;
    process.kill(dataNode, 'SIGKILL');
    await local.reported(/the data node is running again/);
    expect(system.processes().dataNode).not.toBe(dataNode);
    expect(system.processes().controlPlane).toBe(controlPlane);
    expect((await open('used', used!).execute('SELECT n FROM t')).rows).toEqual([{ n: 1 }, { n: 2 }]);
    expect((await open('unused', unused!).execute('SELECT n FROM t')).rows).toEqual([{ n: 3 }]);

    process.kill(controlPlane, 'SIGCONT');
    controlPlane = undefined;
    expect((await api.databases.list()).map(({ name }) => name).sort()).toEqual(['unused', 'used']);
  });
});

describe('the control plane', () => {
  let local: LocalSystemForTests;
  beforeAll(async () => {
    // As if the launcher had been started from a shell in which a data node was configured.
    local = await startLocalSystemForTests({
      environment: { TURSO_BYOC_STORE_DIR: '/elsewhere/store', TURSO_BYOC_KEY_DIR: '/elsewhere/keys' },
    });
  });
  afterAll(async () => local.stop());

  const environmentOf = async (pid: number): Promise<Map<string, string>> => {
    const text = await readFile(`/proc/${pid}/environ`, 'utf8');
    const entries = text.split('\0').filter(Boolean);
    return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]));
  };

  it('is told neither where data, log and keys are nor where local copies lie', async () => {
    const { dataDirectory, system } = local;
    const environment = await environmentOf(system.processes().controlPlane!);
    // What tests are told themselves, such as where to find S3 servers, passes through.
    const settings = [...environment.keys()].filter((name) => /^TURSO_BYOC_(?!TEST_)/.test(name)).sort();
    expect(settings).toEqual([
      'TURSO_BYOC_ADMIN_CREDENTIAL_FILE',
      'TURSO_BYOC_ADMIN_URL',
      'TURSO_BYOC_API_HOST',
      'TURSO_BYOC_API_PORT',
      'TURSO_BYOC_CONTROL_STORE_DIR',
      'TURSO_BYOC_DATA_URL',
      'TURSO_BYOC_HOSTNAME_SUFFIX',
      'TURSO_BYOC_PRIMARY_REGION',
      'TURSO_BYOC_SIGNING_KEY_FILE',
    ]);
    const forbidden = ['store/data', 'store/log', 'keys', 'cache'].map((name) => join(dataDirectory, name));
    for (const value of environment.values()) {
      for (const path of forbidden) expect(value.startsWith(path)).toBe(false);
      expect(value).not.toBe(join(dataDirectory, 'store'));
      expect(value).not.toMatch(/^\/elsewhere/);
    }
    expect(environment.get('TURSO_BYOC_CONTROL_STORE_DIR')).toBe(join(dataDirectory, 'store', 'control'));

    // The same look at the data node finds them, so it can find them.
    const dataNode = await environmentOf(system.processes().dataNode!);
    expect(dataNode.get('TURSO_BYOC_STORE_DIR')).toBe(join(dataDirectory, 'store'));
    expect(dataNode.get('TURSO_BYOC_KEY_DIR')).toBe(join(dataDirectory, 'keys'));
  });

  it('stops in order although the data plane does not answer', async () => {
    const { api, dataDirectory, system } = local;
    await api.databases.create('audited');
    const { dataNode, controlPlane } = system.processes() as { dataNode: number; controlPlane: number };
    process.kill(dataNode, 'SIGSTOP');
    try {
      process.kill(controlPlane, 'SIGTERM');
      while (system.processes().controlPlane === controlPlane) await new Promise((resolve) => setTimeout(resolve, 50));
      const log = await readFile(join(dataDirectory, 'logs', 'control-plane.log'), 'utf8');
      expect(log).toMatch(/"why":"SIGTERM"/);
      expect(log).not.toMatch(/did not end in time|could not stop in order/);
    } finally {
      process.kill(dataNode, 'SIGCONT');
    }
    await local.reported(/the control plane is running again/);
  });

  it('has no file of theirs open while it creates a database and reads its catalog', async () => {
    const { api, dataDirectory, system } = local;
    const pid = system.processes().controlPlane!;
    const opened = new Set<string>();
    const look = async (): Promise<void> => {
      for (const descriptor of await readdir(`/proc/${pid}/fd`)) {
        opened.add(await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => 'closed meanwhile'));
      }
    };
    const state = { creating: true };
    const created = api.databases.create('watched').finally(() => (state.creating = false));
    while (state.creating) await look();
    await created;
    await api.databases.list();
    await look();
    const forbidden = ['store/data', 'store/log', 'keys', 'cache'].map((name) => join(dataDirectory, name));
    expect([...opened].filter((path) => forbidden.some((prefix) => path.startsWith(prefix)))).toEqual([]);
    expect(opened.size).toBeGreaterThan(0);
  });
});
