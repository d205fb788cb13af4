/** Sign-in of people through a real OpenID Connect provider, as `turso auth login` begins it. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../data-plane/bench/subjects/free-port.js';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';
import { Browser } from './support/browser.js';
import { addUser, callWith } from './support/platform-caller.js';

const clientSecret = 'a-client-secret-for-tests';

describe('sign-in', () => {
  let directory: string;
  let provider: ChildProcess;
  let local: LocalSystemForTests;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sign-in-'));
    await writeFile(join(directory, 'secret'), clientSecret);
    const apiPort = await freePort();
    const publicUrl = `http://127.0.0.1:${apiPort}`;
    provider = fork(fileURLToPath(new URL('support/oidc-server.js', import.meta.url)), {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        OIDC_CLIENT_SECRET: clientSecret,
        OIDC_REDIRECT_URI: `${publicUrl}/sign-in/callback`,
      },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const { port } = await new Promise<{ port: number }>((resolve, reject) => {
      provider.once('message', resolve);
      provider.once('exit', (code) => reject(new Error(`the provider ended with ${String(code)}`)));
    });
    local = await startLocalSystemForTests({
      apiPort,
      environment: {
        TURSO_BYOC_OIDC_ISSUER: `http://127.0.0.1:${port}`,
        TURSO_BYOC_OIDC_CLIENT_ID: 'turso-byoc',
        TURSO_BYOC_OIDC_CLIENT_SECRET_FILE: join(directory, 'secret'),
        TURSO_BYOC_PUBLIC_URL: publicUrl,
      },
    });
  });
  afterAll(async () => {
    await local.stop();
    provider.disconnect();
    await rm(directory, { recursive: true });
  });

  const isCli = (url: string): boolean => url.startsWith('http://localhost:4567/');

  /** Signs a person in, as they do in a browser; the last place or page. */
  async function signIn(
    person: string,
    query = '?port=4567&redirect=true&type=cli&state=cli-state',
    browser = new Browser(),
  ) {
    let at = await browser.follow(`${local.system.apiUrl}/${query}`, isCli);
    for (const form of [{ prompt: 'login', login: person, password: 'x' }, { prompt: 'consent' }]) {
      const html = (await at.response?.text()) ?? '';
      const action = /<form[^>]* action="([^"]+)"/.exec(html)?.[1];
      if (action === undefined) break;
      at = await browser.follow(new URL(action, at.url).href, isCli, form);
    }
    return at;
  }

  it('sends the CLI a token of the person that signed in', async () => {
    const { url } = await signIn('Grace');
    const { searchParams } = new URL(url);
    expect(searchParams.get('state')).toBe('cli-state');
    const call = callWith(local.system.apiUrl, searchParams.get('jwt')!);
    expect((await call('GET', '/v1/current-user')).body['user']).toMatchObject({
      username: 'grace',
      email: 'grace@example.com',
      name: 'Grace of Example',
    });
    const { exp } = (await call('GET', '/v1/auth/validate')).body as { exp: number };
    expect(exp * 1_000 - Date.now()).toBeGreaterThan(6 * 86_400_000);
    expect((await call('GET', '/v1/auth/api-tokens')).body).toEqual({ tokens: [] });
    // The same person again is the same user.
    const again = new URL((await signIn('Grace')).url).searchParams.get('jwt')!;
    expect((await callWith(local.system.apiUrl, again)('GET', '/v1/current-user')).body['user']).toMatchObject({
      username: 'grace',
    });
    expect((await callWith(local.system.apiUrl, local.system.token)('GET', '/v1/users')).body['users']).toHaveLength(2);
  });

  it('shows the token where the CLI does not wait', async () => {
    const { response } = await signIn('linus', '?redirect=false');
    const html = await response!.text();
    expect(response!.headers.get('cache-control')).toBe('no-store');
    const token = /turso config set token "([^"]+)"/.exec(html)![1]!;
    expect(await callWith(local.system.apiUrl, token)('GET', '/v1/auth/validate')).toMatchObject({ status: 200 });
  });

  it('lets people in where they were invited, and claims the user that an operator made for them', async () => {
    const owner = callWith(local.system.apiUrl, local.system.token);
    await owner('POST', '/v2/organizations/default/invites', { email: 'hedy@example.com', role: 'viewer' });
    const hedy = callWith(local.system.apiUrl, new URL((await signIn('hedy')).url).searchParams.get('jwt')!);
    expect(await hedy('GET', '/v1/groups')).toMatchObject({ status: 200 });
    expect(await hedy('POST', '/v1/groups', { name: 'no' })).toMatchObject({ body: { code: 'PERMISSION_DENIED' } });

    await addUser(local, 'made-before', { role: 'member' });
    const claimed = callWith(local.system.apiUrl, new URL((await signIn('made-before')).url).searchParams.get('jwt')!);
    expect(await claimed('GET', '/v1/groups')).toMatchObject({ status: 200 });
    // An address that the provider does not vouch for claims nobody and accepts nothing.
    await owner('POST', '/v2/organizations/default/invites', { email: 'unproved@example.com', role: 'admin' });
    const unproved = callWith(local.system.apiUrl, new URL((await signIn('unproved')).url).searchParams.get('jwt')!);
    expect(await unproved('GET', '/v1/groups')).toMatchObject({ status: 404 });
  });

  it('ends only where it was begun, and once', async () => {
    const begun = new Browser();
    const isCallback = (url: string): boolean => url.includes('/sign-in/callback');
    let at = await begun.follow(`${local.system.apiUrl}/?port=4567`, isCallback);
    for (const form of [{ prompt: 'login', login: 'eve', password: 'x' }, { prompt: 'consent' }]) {
      const action = /<form[^>]* action="([^"]+)"/.exec(await at.response!.text())![1]!;
      at = await begun.follow(new URL(action, at.url).href, isCallback, form);
    }
    const failed = { error: expect.any(String) as string, code: 'SIGN_IN_FAILED' };
    const other = await new Browser().send(at.url);
    expect([other.status, await other.json()]).toEqual([401, expect.objectContaining(failed)]);
    const forged = await begun.send(at.url.replace(/code=[^&]+/, 'code=forged'));
    expect([forged.status, await forged.json()]).toEqual([401, expect.objectContaining(failed)]);
    // The forged attempt has used it up.
    expect((await begun.send(at.url)).status).toBe(401);
    expect((await begun.send(`${local.system.apiUrl}/sign-in/callback`)).status).toBe(401);
  });

  it('refuses ports that are none', async () => {
    for (const port of ['0', '65536', '80a']) {
      expect((await new Browser().send(`${local.system.apiUrl}/?port=${port}`)).status).toBe(400);
    }
  });
});

it('is not there where no provider is set up', async () => {
  const local = await startLocalSystemForTests();
  try {
    const answer = await callWith(local.system.apiUrl, undefined)('GET', '/?port=1&redirect=true');
    expect(answer).toMatchObject({ status: 404, body: { code: 'SIGN_IN_NOT_SET_UP' } });
  } finally {
    await local.stop();
  }
});
