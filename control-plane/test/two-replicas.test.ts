/** Two control planes over one catalog, both under load: no name twice, no change lost, nothing left over. */
import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { callWith, eventually, type Call } from './support/platform-caller.js';

describe('two replicas of the control plane', () => {
  let local: LocalSystemForTests;
  let second: ChildProcess;
  let calls: [Call, Call];
  beforeAll(async () => {
    local = await startLocalSystemForTests();
    const environment = await readFile(`/proc/${local.system.processes().controlPlane!}/environ`, 'utf8');
    const entries = environment.split('\0').filter(Boolean);
    const env = Object.fromEntries(
      entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    );
    second = fork(fileURLToPath(new URL('../dist/main.js', import.meta.url)), {
      env: { ...env, TURSO_BYOC_API_PORT: '0' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const { apiPort } = await new Promise<{ apiPort: number }>((resolve, reject) => {
      second.once('message', (message) => resolve(message as { apiPort: number }));
      second.once('exit', (code) => reject(new Error(`the second replica ended with ${String(code)}`)));
    });
    const { token, apiUrl } = local.system;
    calls = [callWith(apiUrl, token), callWith(`http://127.0.0.1:${apiPort}`, token)];
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => second.once('exit', resolve));
    second.kill('SIGTERM');
    await ended;
    await local.stop();
  });

  const both = async <T>(work: (call: Call) => Promise<T>): Promise<T[]> => Promise.all(calls.map(work));

  it('give each name to one request', async () => {
    const names = Array.from({ length: 12 }, (_each, number) => `raced-${number}`);
    const answers = await Promise.all(
      names.map(async (name) => both(async (call) => call('POST', '/v1/databases', { name }))),
    );
    for (const pair of answers) expect(pair.map(({ status }) => status).sort()).toEqual([200, 409]);
    const [one, other] = await both(async (call) => call('GET', '/v1/databases'));
    expect(one!.body).toEqual(other!.body);
    expect((one!.body['databases'] as { Name: string }[]).map(({ Name }) => Name).sort()).toEqual([...names].sort());
  });

  it('create and delete the same names at once, and leave nothing behind', async () => {
    const [first, other] = calls;
    for (let round = 0; round < 4; round += 1) {
      await Promise.all([
        first('POST', '/v1/databases', { name: 'flickering' }),
        other('DELETE', '/v1/databases/flickering'),
        other('POST', '/v1/databases', { name: 'flickering' }),
        first('DELETE', '/v1/databases/flickering'),
      ]);
    }
    await eventually(
      async () => first('DELETE', '/v1/databases/flickering'),
      ({ status }) => status === 404,
    );
    expect((await other('POST', '/v1/databases', { name: 'flickering' })).status).toBe(200);
    const drift = await eventually(
      async () => first('GET', '/v1/catalog/drift'),
      ({ status }) => status === 200,
    );
    expect(drift.body['drift']).toEqual([]);
  });

  it('lose no rotation, configuration or member that the other one changes', async () => {
    const names = Array.from({ length: 6 }, (_each, number) => `raced-${number}`);
    const tokens = await Promise.all(
      names.map(async (name) => (await calls[0]('POST', `/v1/databases/${name}/auth/tokens`)).body['jwt'] as string),
    );
    const users = Array.from({ length: 6 }, (_each, number) => `user${number}`);
    await Promise.all(users.map(async (username) => calls[0]('POST', '/v1/users', { username })));
    const changes = await Promise.all([
      ...names.map(async (name, number) => calls[number % 2]!('POST', `/v1/databases/${name}/auth/rotate`)),
      ...names.map(async (name, number) =>
        calls[(number + 1) % 2]!('PATCH', `/v1/databases/${name}/configuration`, { delete_protection: true }),
      ),
      ...users.map(async (username, number) =>
        calls[number % 2]!('POST', '/v1/organizations/default/members', { username, role: 'viewer' }),
      ),
    ]);
    expect(changes.map(({ status }) => status)).toEqual(changes.map(() => 200));
    for (const [number, name] of names.entries()) {
      await eventually(
        async () =>
          local
            .open(name, tokens[number]!)
            .execute('SELECT 1')
            .then(
              () => 'works',
              (error: unknown) => (error as { code: string }).code,
            ),
        (now) => now === 'AUTH_JWT_REVOKED',
      );
      const { body } = await calls[1]('GET', `/v1/databases/${name}/configuration`);
      expect(body).toMatchObject({ delete_protection: true });
    }
    expect((await calls[1]('GET', '/v1/organizations/default/members')).body['members']).toHaveLength(7);
  });

  it('write one audit chain', async () => {
    const [one] = await both(async (call) => call('GET', '/v1/organizations/default/audit-logs?page_size=1000'));
    const ids = (one!.body['audit_logs'] as { id: string }[]).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(40);
  });

  it('see a revocation that the other one made within seconds', async () => {
    const minted = await calls[0]('POST', '/v1/auth/api-tokens/short-lived');
    const token = minted.body['token'] as string;
    const apiUrl = local.system.apiUrl;
    expect((await callWith(apiUrl, token)('GET', '/v1/groups')).status).toBe(200);
    await calls[1]('DELETE', '/v1/auth/api-tokens/short-lived');
    await eventually(
      async () => callWith(apiUrl, token)('GET', '/v1/groups'),
      ({ status }) => status === 401,
    );
  });
});
