/**
 * The calls of the `turso` CLI, command by command, with its headers and bodies; answers are decoded as the CLI does: JSON
 * keys without regard to case, nothing but status 200 is success.
 */
import { startApiForTests, type ApiForTests } from './support/api-for-tests.js';

/** Go's encoding/json: a field is found under its name in any case. */
function field(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((at, name) => {
    if (typeof name === 'number') return (at as unknown[])[name];
    const key = Object.keys(at as object).find((each) => each.toLowerCase() === name.toLowerCase());
    return key === undefined ? undefined : (at as Record<string, unknown>)[key];
  }, value);
}

describe('the calls of the turso CLI', () => {
  let api: ApiForTests;
  beforeAll(async () => {
    api = await startApiForTests();
  });
  afterAll(async () => api.close());

  async function cli(method: string, path: string, body?: unknown, status = 200): Promise<unknown> {
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${api.token}`,
        // Sent with every request, also with GET.
        'content-type': 'application/json',
        tursocliversion: 'v1.0.20',
        'user-agent': 'turso-cli/v1.0.20 (linux/amd64)',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    expect([method, path, response.status, text]).toEqual([method, path, status, expect.any(String)]);
    return JSON.parse(text) as unknown;
  }

  it('before every command: is the token valid, is there a newer CLI', async () => {
    expect(field(await cli('GET', '/v1/auth/validate'), 'exp')).toBe(-1);
    const latest = field(await cli('GET', '/releases/latest'), 'latest') as string;
    expect(latest.localeCompare('v1.0.0')).toBeLessThan(0);
  });

  it('auth whoami, api-tokens mint, list, revoke, logout --all', async () => {
    expect(field(await cli('GET', '/v1/current-user'), 'user', 'username')).toBe('default');
    const minted = await cli('POST', '/v2/auth/api-tokens/ci');
    expect(field(minted, 'token', 'value')).toMatch(/^ey/);
    await cli('GET', '/v2/organizations');
    const scoped = await cli('POST', '/v2/auth/api-tokens/scoped', {
      organization: 'default',
      group: 'default',
      scopes: ['read', 'db:create'],
    });
    expect(field(scoped, 'token', 'name')).toBe('scoped');
    const names = (field(await cli('GET', '/v1/auth/api-tokens'), 'tokens') as unknown[]).map((each) =>
      field(each, 'name'),
    );
    expect(names).toEqual(['operator', 'ci', 'scoped']);
    expect(field(await cli('DELETE', '/v1/auth/api-tokens/ci'), 'token')).toBe('ci');
    const user = await api.addUser('leaver');
    const response = await fetch(`${api.url}/v1/auth/invalidate`, {
      method: 'POST',
      headers: { authorization: `Bearer ${user}` },
    });
    expect(Number.isSafeInteger(field(await response.json(), 'ValidFrom'))).toBe(true);
  });

  it('org list, create, members, invites, audit-logs, destroy', async () => {
    expect(field(await cli('GET', '/v2/organizations'), 'organizations', 0, 'slug')).toBe('default');
    expect(
      field(await cli('POST', '/v1/organizations/stripe-customer', { name: 'New Org' }), 'stripe_id'),
    ).toBeDefined();
    expect(field(await cli('GET', '/v1/organizations/default/billing/payment-methods'), 'exists')).toBe(true);
    const wanted = { name: 'New Org', stripe_id: 'none' };
    expect(field(await cli('POST', '/v1/organizations?dry_run=true', wanted), 'org', 'slug')).toBe('neworg');
    expect(field(await cli('POST', '/v1/organizations?dry_run=false', wanted), 'org', 'slug')).toBe('neworg');
    await cli('POST', '/v1/organizations?dry_run=true', wanted, 409);
    const base = '/v1/organizations/neworg';
    expect(field(await cli('GET', `${base}/members`), 'members', 0, 'role')).toBe('owner');
    await cli('POST', '/v1/users', { username: 'joan' });
    expect(field(await cli('POST', `${base}/members`, { username: 'joan', role: 'member' }), 'member')).toBe('joan');
    expect(field(await cli('DELETE', `${base}/members/joan`), 'member')).toBe('joan');
    expect(
      field(await cli('POST', `${base}/invite`, { email: 'x@example.com', role: 'admin' }), 'invited', 'email'),
    ).toBe('x@example.com');
    expect(field(await cli('GET', `${base}/invites`), 'invites', 0, 'accepted')).toBe(false);
    await cli('DELETE', `${base}/invites/x@example.com`);
    const log = await cli('GET', `${base}/audit-logs?page=1&page_size=10`);
    expect(field(log, 'audit_logs', 0, 'origin')).toBe('cli');
    expect(field(log, 'pagination', 'total_pages')).toBe(1);
    await cli('DELETE', base);
  });

  it('plan show, org billing', async () => {
    const base = '/v1/organizations/default';
    expect(field(await cli('GET', `${base}/subscription`), 'subscription', 'plan')).toBe('byoc');
    expect(field(await cli('GET', `${base}/plans`), 'plans', 0, 'quotas', 'databases')).toBeGreaterThan(1e9);
    expect(field(await cli('GET', `${base}/usage`), 'organization', 'usage', 'groups')).toBe(1);
    expect(field(await cli('GET', '/v1/usage'), 'organization', 'uuid')).toMatch(/-/);
    expect(field(await cli('GET', `${base}/invoices?type=all`), 'invoices')).toEqual([]);
  });

  it('group create, list, show, tokens, config, rename, destroy', async () => {
    const created = await cli('POST', '/v1/organizations/default/groups', {
      Name: 'cli',
      Location: 'aws-eu-west-1',
      Version: 'latest',
    });
    // The CLI takes the modern way to upload where the primary is on AWS.
    expect(field(created, 'group', 'primary')).toMatch(/^aws-/);
    await cli('GET', '/v1/organizations/default/groups/cli/locations/aws-eu-west-1/wait');
    expect(field(await cli('GET', '/v1/groups/cli'), 'group', 'status', 'locations', 0, 'status')).toBe('up');
    expect(field(await cli('POST', '/v1/groups/cli/auth/tokens?expiration=7d&authorization=read-only'), 'jwt')).toMatch(
      /^ey/,
    );
    await cli('POST', '/v1/groups/cli/auth/rotate');
    expect(
      field(await cli('PATCH', '/v1/groups/cli/configuration', { delete_protection: true }), 'delete_protection'),
    ).toBe(true);
    await cli('DELETE', '/v1/groups/cli', undefined, 400);
    await cli('PATCH', '/v1/groups/cli/configuration', { delete_protection: false });
    await cli('POST', '/v1/groups/cli/rename', { Name: 'renamed' });
    await cli('POST', '/v1/groups/renamed/unarchive');
    await cli('POST', '/v1/groups/renamed/update');
    expect(field(await cli('GET', '/v1/groups/renamed/aws/migration/info'), 'status')).toBe('none');
    await cli('POST', '/v1/groups/renamed/locations/lhr', undefined, 400);
    expect(field(await cli('DELETE', '/v1/groups/renamed'), 'group', 'name')).toBe('renamed');
  });

  it('db create, list, show, branch, tokens, config, inspect, destroy', async () => {
    const base = '/v1/organizations/default/databases';
    expect(field(await cli('GET', '/v1/organizations/default/groups'), 'groups', 0, 'name')).toBe('default');
    const created = await cli('POST', base, { name: 'shop', location: 'aws-eu-west-1', group: 'default', seed: null });
    expect(field(created, 'database', 'hostname')).toBe('shop-default.db.example.com');
    const parent = field(created, 'database', 'DbId') as string;
    await cli('POST', base, { name: 'shop', location: 'aws-eu-west-1', group: 'default' }, 409);
    const seed = { type: 'database', value: 'shop', timestamp: null };
    await cli('POST', base, { name: 'shop-branch', location: 'aws-eu-west-1', group: 'default', seed });
    const pages: unknown[] = [];
    let cursor: unknown = '';
    do {
      const page = await cli('GET', `${base}?limit=1&cursor=${cursor as string}`);
      pages.push(field(page, 'databases', 0, 'Name'));
      cursor = field(page, 'pagination', 'next');
    } while (cursor !== null);
    expect(pages).toEqual(['shop', 'shop-branch']);
    expect(field(await cli('GET', `${base}?parent=${parent}`), 'databases', 0, 'parent', 'name')).toBe('shop');
    expect(
      field(await cli('GET', '/v2/organizations/default/locations'), 'locations', 'aws', 'aws-eu-west-1'),
    ).toBeDefined();
    expect(field(await cli('GET', `${base}/shop`), 'database', 'type')).toBe('logical');
    expect(field(await cli('GET', `${base}/shop/instances`), 'instances', 0, 'type')).toBe('primary');
    await cli('GET', `${base}/shop/instances/aws-eu-west-1/wait`);
    expect(
      field(await cli('POST', `${base}/shop/auth/tokens?expiration=2d&authorization=full-access`, {}), 'jwt'),
    ).toMatch(/^ey/);
    await cli('POST', `${base}/shop/auth/rotate`);
    // The flag that is not set is sent as null.
    const configured = await cli('PATCH', `${base}/shop/configuration`, {
      allow_attach: null,
      delete_protection: true,
    });
    expect(field(configured, 'delete_protection')).toBe(true);
    await cli('DELETE', `${base}/shop`, undefined, 400);
    await cli('PATCH', `${base}/shop/configuration`, { allow_attach: null, delete_protection: false });
    await cli('PATCH', `${base}/shop/configuration`, { allowed_ips: [], allowed_aws_vpc_ids: null });
    expect(field(await cli('GET', `${base}/shop/usage`), 'database', 'usage', 'storage_bytes')).toBe(4096);
    expect(field(await cli('GET', `${base}/shop/usage`), 'database', 'total', 'rows_read')).toBe(0);
    expect(field(await cli('GET', `${base}/shop/stats`), 'top_queries', 0, 'rows_read')).toBe(7);
    const queries = await cli(
      'GET',
      `${base}/shop/usage/queries?from=${new Date(Date.now() - 86_400_000).toISOString()}`,
    );
    expect(field(queries, 0, 'query')).toBe('SELECT * FROM t WHERE a = ?');
    await cli('POST', `${base}/shop/wakeup`);
    expect(field(await cli('DELETE', `${base}/shop`), 'database')).toBe('shop');
    await cli('GET', `${base}/shop`, undefined, 404);
  });
});
