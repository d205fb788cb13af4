import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { collectingLog, ListedDatabases, shop } from '../../test/support/data-server-fixture.js';
import type { NodeEpoch } from '../identity.js';
import { Metrics } from '../metering/metrics.js';
import type { UsageReader } from '../metering/stored-usage.js';
import { systemRuntime } from '../runtime.js';
import { createAdminServer } from './admin-server.js';

const credential = 'a-credential-of-the-test-deployment';
const created = {
  id: '55555555-5555-4555-8555-555555555555',
  name: 'fresh',
  organization: 'acme',
  group: { id: 'g-1', name: 'default' },
  engine: 'libsql',
};

let app: FastifyInstance;
let url: string;
let databases: ListedDatabases;
let metrics: Metrics;
let logLines: Record<string, unknown>[];

const batch = {
  epoch: 'e'.repeat(32) as NodeEpoch,
  sequence: 7,
  hourMs: 0,
  databases: [[shop.id, 1, 2, 3, 4]] as const,
};
let removed: unknown[];
const usage: UsageReader = {
  page: async () => ({ batches: [batch], more: true }),
  remove: async (batches) => void removed.push(...batches),
};

beforeEach(async () => {
  removed = [];
  databases = new ListedDatabases([shop]);
  metrics = new Metrics();
  const collecting = collectingLog();
  logLines = collecting.logLines;
  const limits = { closeGraceMs: 1 };
  app = createAdminServer({
    databases,
    usage,
    credential,
    metrics,
    runtime: systemRuntime,
    log: collecting.log,
    limits,
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await app.close();
});

async function call(method: string, path: string, body?: unknown, authorization = `Bearer ${credential}`) {
  const response = await fetch(url + path, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  expect(response.headers.get('content-type')).toBe('application/json');
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('databases', () => {
  it('are created once, however often it is asked', async () => {
    const answer = {
      status: 200,
      body: { database: { ...created, createdAtMs: 1_800_000_000_000, keyId: 'default' } },
    };
    expect(await call('POST', '/admin/v1/databases', created)).toEqual(answer);
    expect(await call('POST', '/admin/v1/databases', created)).toEqual(answer);
    expect(databases.list).toHaveLength(2);
  });

  it('are created many in one call, each with an outcome of its own', async () => {
    const other = { ...created, id: '66666666-6666-4666-8666-666666666666', name: 'other' };
    const answer = await call('POST', '/admin/v1/creations', {
      databases: [created, { ...other, name: '-' }, { ...other, keyId: 'a', encryption: { key: 'k' } }, other],
    });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        results: [
          { database: { id: created.id, name: 'fresh' } },
          { status: 400, code: 'INVALID_NAME' },
          { status: 400, code: 'MALFORMED_REQUEST' },
          { database: { id: other.id, name: 'other' } },
        ],
      },
    });
    expect(databases.list).toHaveLength(3);
    const many = Array.from({ length: 65 }, () => other);
    for (const refused of [{}, { databases: [] }, { databases: [{}] }, { databases: many }]) {
      expect(await call('POST', '/admin/v1/creations', refused)).toMatchObject({ status: 400 });
    }
  });

  it('are given the key that was named for them', async () => {
    const answer = await call('POST', '/admin/v1/databases', { ...created, keyId: 'tenant-a' });
    expect(answer).toMatchObject({ status: 200, body: { database: { keyId: 'tenant-a' } } });
    for (const keyId of ['', 'x'.repeat(513), 7]) {
      expect(await call('POST', '/admin/v1/databases', { ...created, keyId })).toMatchObject({ status: 400 });
    }
  });

  it('are listed page by page, with those that were deleted', async () => {
    await call('POST', '/admin/v1/databases', created);
    await call('DELETE', `/admin/v1/databases/${shop.id}`);
    const first = await call('GET', '/admin/v1/databases?limit=1');
    expect(first).toEqual({
      status: 200,
      body: { databases: [{ ...shop, deletedAtMs: expect.any(Number) as number }], next: shop.id },
    });
    expect(await call('GET', `/admin/v1/databases?limit=5&after=${shop.id}`)).toMatchObject({
      status: 200,
      body: { databases: [{ id: created.id }], next: null },
    });
    for (const query of ['limit=0', 'limit=x', 'after=1', 'all=1']) {
      expect(await call('GET', `/admin/v1/databases?${query}`)).toMatchObject({ status: 400 });
    }
  });

  it('say how much they store', async () => {
    expect(await call('GET', `/admin/v1/databases/${shop.id}/storage`)).toEqual({ status: 200, body: { bytes: 8192 } });
    expect(await call('GET', `/admin/v1/databases/${created.id}/storage`)).toMatchObject({ status: 404 });
  });

  it('do not share a name', async () => {
    const answer = await call('POST', '/admin/v1/databases', { ...created, name: shop.name });
    expect(answer).toMatchObject({ status: 409, body: { code: 'DATABASE_EXISTS' } });
  });

  it('are found by id and by name, without what a service keeps beside', async () => {
    databases.list = [{ ...shop, secret: 1 } as typeof shop];
    const answer = { status: 200, body: { database: { ...shop } } };
    expect(await call('GET', `/admin/v1/databases/${shop.id}`)).toEqual(answer);
    expect(await call('GET', '/admin/v1/organizations/acme/databases/shop')).toEqual(answer);
  });

  it.each([
    '/admin/v1/databases/99999999-9999-4999-8999-999999999999',
    '/admin/v1/organizations/acme/databases/nothing',
  ])('that are not there: %s', async (path) => {
    expect(await call('GET', path)).toMatchObject({ status: 404, body: { code: 'DATABASE_NOT_FOUND' } });
  });

  it('begin as another one, and come back after their deletion under the name that is asked for', async () => {
    const branch = { parent: shop.id, timeMs: 1_700_000_000_500 };
    expect(await call('POST', '/admin/v1/databases', { ...created, branch })).toMatchObject({
      status: 200,
      body: { database: { parent: { id: shop.id, name: 'shop', branchedAtMs: 1_700_000_000_500 } } },
    });
    await call('DELETE', `/admin/v1/databases/${created.id}`);
    const undelete = async (body: unknown) => call('POST', `/admin/v1/databases/${created.id}/undelete`, body);
    expect(await undelete({ name: 'again' })).toMatchObject({ status: 200, body: { database: { name: 'again' } } });
    expect(await undelete({ name: 'again', id: 1 })).toMatchObject({ status: 400 });
    expect(await call('POST', `/admin/v1/databases/${created.id}/collect`)).toEqual({ status: 200, body: {} });
    expect(databases.collected).toEqual([created.id]);
    const rewrap = async (body: unknown) => call('POST', `/admin/v1/databases/${created.id}/rewrap`, body);
    expect(await rewrap({ keyId: 'tenant-a' })).toEqual({ status: 200, body: { changed: true } });
    expect(databases.rewrapped).toEqual([[created.id, 'tenant-a']]);
    for (const body of [{}, { keyId: '' }, { keyId: 1 }, { keyId: 'a', more: 1 }]) {
      expect(await rewrap(body)).toMatchObject({ status: 400 });
    }
    const path = `/admin/v1/databases/${created.id}`;
    const encryption = { id: created.id, currentKey: 1, dataKeys: [] };
    expect(await call('POST', `${path}/rekey`, { replaces: 1, dropHistory: true })).toMatchObject({
      status: 200,
      body: { encryption },
    });
    expect(await call('GET', `${path}/encryption`)).toMatchObject({ status: 200, body: { encryption } });
    expect(databases.rekeyed).toEqual([[created.id, { replaces: 1, dropHistory: true }]]);
    const changes = [
      { to: { mode: 'kms' } },
      { to: { mode: 'kms', keyId: 'tenant-a' }, encryption: { key: 'QQ==' } },
      { to: { mode: 'client', key: 'QQ==', cipher: 'aes256gcm' } },
    ];
    for (const change of changes) {
      expect(await call('POST', `${path}/encryption`, change)).toMatchObject({ status: 200, body: { encryption } });
    }
    expect(databases.rewrappedBy.map(([, change]) => change)).toEqual(changes);
    expect(await call('GET', `${path}/certificate`)).toMatchObject({
      status: 404,
      body: { code: 'CERTIFICATE_NOT_FOUND' },
    });
    const certificate = { database: created.id };
    const shred = { requestedBy: 'alice', copies: ['one'] };
    expect(await call('POST', `${path}/shred`, shred)).toMatchObject({ status: 200, body: { certificate } });
    expect(await call('GET', `${path}/certificate`)).toMatchObject({ status: 200, body: { certificate } });
    expect(databases.shredded).toEqual([[created.id, shred]]);
    for (const [route, body] of [
      ['rekey', {}],
      ['rekey', { replaces: 0 }],
      ['rekey', { replaces: 1, more: 1 }],
      ['encryption', {}],
      ['encryption', { to: { mode: 'nobody' } }],
      ['encryption', { to: { mode: 'client', key: 'QQ==' } }],
      ['encryption', { to: { mode: 'client', key: 'QQ==', cipher: 'rot13' } }],
      ['encryption', { to: { mode: 'kms', key: 'QQ==' } }],
      ['shred', {}],
      ['shred', { requestedBy: '' }],
    ] as const) {
      expect(await call('POST', `${path}/${route}`, body)).toMatchObject({ status: 400 });
    }
  });

  it('are held and released with what is given, and nothing else', async () => {
    const path = `/admin/v1/databases/${shop.id}/hold`;
    const hold = { reference: 'Matter 12/2026', reason: 'a dispute & its appeal', requestedBy: 'alice', sinceMs: 5 };
    const answer = { status: 200, body: { hold: { id: shop.id, name: 'held', holds: [], released: [] } } };
    expect(await call('PUT', path, hold)).toEqual(answer);
    expect(await call('GET', path)).toEqual(answer);
    const release = { reference: hold.reference, requestedBy: 'bob' };
    expect(await call('DELETE', `${path}?${new URLSearchParams(release).toString()}`)).toEqual(answer);
    expect(databases.holdChanges).toEqual([
      [shop.id, { kind: 'place', hold }],
      [shop.id, { kind: 'release', release }],
    ]);
    expect(logLines.filter(({ msg }) => msg === 'legal hold')).toMatchObject([
      { database: shop.id, reference: hold.reference, requestedBy: 'alice', change: 'place' },
      { database: shop.id, reference: hold.reference, requestedBy: 'bob', change: 'release' },
    ]);
    for (const wrong of [
      { reference: undefined },
      { reason: undefined },
      { requestedBy: undefined },
      { reference: '' },
      { reference: '   ' },
      { reference: 'two\nlines' },
      { reference: 'x'.repeat(129) },
      { reason: 'x'.repeat(513) },
      { reason: 'a\u0000b' },
      { sinceMs: -1 },
      { sinceMs: 0.5 },
      { more: 1 },
    ]) {
      expect([wrong, await call('PUT', path, { ...hold, ...wrong })]).toMatchObject([wrong, { status: 400 }]);
    }
    for (const query of ['', '?reference=a', '?requestedBy=a', '?reference=a&requestedBy=b&more=1']) {
      expect(await call('DELETE', path + query)).toMatchObject({ status: 400 });
    }
    expect(databases.holdChanges).toHaveLength(2);
  });

  it('are deleted, also when they are gone', async () => {
    const path = `/admin/v1/databases/${shop.id}`;
    expect(await call('DELETE', path)).toEqual({ status: 200, body: {} });
    expect(await call('DELETE', path)).toEqual({ status: 200, body: {} });
    expect(databases.list).toEqual([]);
  });
});

describe('requests that are wrong', () => {
  it.each<[string, unknown]>([
    ['no JSON', '{'],
    ['an empty body', ''],
    ['null', 'null'],
    ['a list', []],
    ['no id', { ...created, id: undefined }],
    ['an id in capitals', { ...created, id: 'ABCDEF00-0000-4000-8000-000000000000' }],
    ['an id that is a number', { ...created, id: 5 }],
    ['no group', { ...created, group: undefined }],
    ['a group that is text', { ...created, group: 'default' }],
    ['an unknown engine', { ...created, engine: 'sqlite' }],
    ['a branch of nothing', { ...created, branch: {} }],
    ['a branch at a time that is none', { ...created, branch: { parent: shop.id, timeMs: 'now' } }],
    ['a field too many', { ...created, owner: 'me' }],
    ['a prototype', '{"__proto__":{"id":1}}'],
  ])('%s', async (_what, body) => {
    expect(await call('POST', '/admin/v1/databases', body)).toMatchObject({
      status: 400,
      body: { code: 'MALFORMED_REQUEST' },
    });
    expect(databases.list).toEqual([shop]);
  });

  it.each<[string, Partial<typeof created>]>([
    ['a name with capitals', { name: 'Fresh' }],
    ['a name that ends with a dash', { name: 'fresh-' }],
    ['an organization with a dash', { organization: 'ac-me' }],
    ['names that are too long together', { name: 'x'.repeat(60) }],
  ])('%s', async (_what, change) => {
    const answer = await call('POST', '/admin/v1/databases', { ...created, ...change });
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_NAME' } });
  });

  it('a body that is too long', async () => {
    const answer = await call('POST', '/admin/v1/databases', { ...created, name: 'x'.repeat(70_000) });
    expect(answer).toMatchObject({ status: 413, body: { code: 'REQUEST_TOO_LARGE' } });
  });

  it('an id that is none, and methods and routes that are not there', async () => {
    const code = async (method: string, path: string) => (await call(method, path)).body['code'];
    expect(await code('GET', '/admin/v1/databases/1')).toBe('MALFORMED_REQUEST');
    expect(await code('DELETE', '/admin/v1/databases/%00')).toBe('MALFORMED_REQUEST');
    expect(await code('PUT', '/admin/v1/databases')).toBe('METHOD_NOT_ALLOWED');
    expect(await code('GET', '/v2/pipeline')).toBe('ROUTE_NOT_FOUND');
  });
});

describe('the credential', () => {
  it.each([
    ['none', ''],
    ['a wrong one', 'Bearer something-else-of-the-same-kind'],
    ['a longer one', `Bearer ${credential}x`],
    ['the start of it', `Bearer ${credential.slice(0, -1)}`],
    ['another scheme', `Basic ${credential}`],
  ])('%s opens nothing, and tells nothing', async (_what, authorization) => {
    for (const [method, path, body] of [
      ['GET', `/admin/v1/databases/${shop.id}`, undefined],
      ['GET', '/admin/v1/metrics', undefined],
      ['GET', '/nothing', undefined],
      ['DELETE', `/admin/v1/databases/${shop.id}`, undefined],
      ['POST', '/admin/v1/databases', '{'],
    ] as const) {
      const answer = await call(method, path, body, authorization);
      expect(answer).toMatchObject({ status: 401, body: { code: 'ADMIN_UNAUTHORIZED' } });
    }
    expect(databases.list).toEqual([shop]);
    expect((await metrics.expose()).text).toContain('turso_byoc_auth_failures_total{code="ADMIN_UNAUTHORIZED"} 5');
    expect(JSON.stringify(logLines)).not.toContain(credential.slice(0, -1));
  });

  it('must not be a short one', () => {
    const log = collectingLog().log;
    const create = () =>
      createAdminServer({ databases, usage, credential: 'short', metrics, runtime: systemRuntime, log });
    expect(create).toThrow(RangeError);
  });
});

it('usage is given in batches, which are removed when they are said to be added up', async () => {
  expect(await call('GET', '/admin/v1/usage')).toEqual({ status: 200, body: { batches: [batch], more: true } });
  const { epoch, sequence } = batch;
  const collected = async (batches: unknown) => (await call('POST', '/admin/v1/usage/collected', { batches })).status;
  for (const batches of [[], [{ epoch }], [{ epoch: '../x', sequence }], [{ epoch, sequence: 0 }], 'all']) {
    expect(await collected(batches)).toBe(400);
  }
  expect(await collected(Array.from({ length: 65 }, () => ({ epoch, sequence })))).toBe(400);
  expect(removed).toEqual([]);
  expect(await collected([{ epoch, sequence }])).toBe(200);
  expect(removed).toEqual([{ epoch, sequence }]);
  expect((await call('GET', '/admin/v1/usage', undefined, 'Bearer no')).status).toBe(401);
});

it('metrics are given in the Prometheus text format', async () => {
  metrics.databases.open.watch(() => 1);
  const response = await fetch(`${url}/admin/v1/metrics`, { headers: { authorization: `Bearer ${credential}` } });
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(await response.text()).toMatch(/^turso_byoc_open_databases 1$/m);
});

describe('databases whose clients hold the key', () => {
  const key = Buffer.alloc(32, 3).toString('base64');

  it('are created with it, and it is never told again', async () => {
    const encryption = { key, cipher: 'aegis256' };
    const answer = await call('POST', '/admin/v1/databases', { ...created, encryption });
    expect(answer.status).toBe(200);
    databases.list = databases.list.map((database) => ({ ...database, encryptionCipher: 'aegis256' as const }));
    const { body } = await call('GET', `/admin/v1/databases/${created.id}`);
    expect(body).toMatchObject({ database: { encryptionCipher: 'aegis256' } });
    expect(JSON.stringify([answer.body, body, logLines])).not.toContain(key);
  });

  it.each<[string, object]>([
    ['no key', { cipher: 'aegis256' }],
    ['a cipher that there is not', { key, cipher: 'rot13' }],
    ['a key that is none', { key: 7, cipher: 'aegis256' }],
    ['an empty key', { key: '', cipher: 'aegis256' }],
    ['more than that', { key, cipher: 'aegis256', more: 1 }],
  ])('are refused with %s', async (_what, encryption) => {
    const answer = await call('POST', '/admin/v1/databases', { ...created, encryption });
    expect(answer).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST' } });
    expect(JSON.stringify([answer.body, logLines])).not.toContain(key);
  });

  it('have no key of the key service beside it', async () => {
    const both = { ...created, keyId: 'tenant-a', encryption: { key, cipher: 'aegis256' } };
    expect(await call('POST', '/admin/v1/databases', both)).toMatchObject({
      status: 400,
      body: { code: 'MALFORMED_REQUEST' },
    });
  });
});
