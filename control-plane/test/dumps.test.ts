/** Databases that begin as dumps: the calls of `turso db create --from-dump` against a whole local system. */
import { createClient } from '@libsql/client';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

let local: LocalSystemForTests;
beforeAll(async () => {
  local = await startLocalSystemForTests();
}, 60_000);
afterAll(async () => local.stop());

const path = '/v1/organizations/default/databases';
const dumped = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
INSERT INTO notes VALUES(1,'it''s; here');
COMMIT;
`;

/** Uploads a form; what is answered. */
async function upload(
  form: FormData | string,
  type?: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${local.system.apiUrl}${path}/dumps`, {
    method: 'POST',
    headers: { authorization: `Bearer ${local.system.token}`, ...(type !== undefined && { 'content-type': type }) },
    body: form,
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

function formOf(text: string | Blob, field = 'file'): FormData {
  const form = new FormData();
  form.append(field, typeof text === 'string' ? new Blob([text]) : text, 'dump.sql');
  return form;
}

const create = async (name: string, url: unknown, more: object = {}): Promise<{ status: number; body: any }> =>
  local.call('POST', path, { name, group: 'default', seed: { type: 'dump', url }, ...more });

async function rowsOf(name: string, sql: string): Promise<unknown[]> {
  const { jwt } = await local.api.databases.createToken(name);
  const client = createClient({ url: `${local.system.dataUrl}/db/${name}-default/`, authToken: jwt });
  try {
    return (await client.execute(sql)).rows.map((row) => ({ ...row }));
  } finally {
    client.close();
  }
}

it('are uploaded and created, of more than one chunk too', async () => {
  const { status, body } = await upload(formOf(dumped));
  expect([status, Object.keys(body)]).toEqual([200, ['dump_url']]);
  expect(await create('notes', body['dump_url'])).toMatchObject({ status: 200, body: { database: { Name: 'notes' } } });
  expect(await rowsOf('notes', 'SELECT * FROM notes')).toEqual([{ id: 1, text: "it's; here" }]);
  // It is one database's.
  expect((await create('again', body['dump_url'])).status).toBe(400);

  const rows = Array.from({ length: 5_000 }, (_, row) => `INSERT INTO t VALUES(${row},'${'x'.repeat(2_000)}');\n`);
  const large = await upload(formOf(`BEGIN TRANSACTION;\nCREATE TABLE t (id, a);\n${rows.join('')}COMMIT;\n`));
  expect((await create('large', large.body['dump_url'], { use_tursodb: true })).status).toBe(200);
  expect(await rowsOf('large', 'SELECT count(*) AS n, sum(id) AS ids FROM t')).toEqual([{ n: 5_000, ids: 12_497_500 }]);
}, 60_000);

it('leave nothing behind when they are refused', async () => {
  const { body } = await upload(formOf('BEGIN; CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1), (1); COMMIT;'));
  const refused = await create('bad', body['dump_url']);
  expect([refused.status, refused.body.code]).toEqual([400, 'DUMP_REFUSED']);
  expect(refused.body.error).toMatch(/statement 3 of the dump: .*UNIQUE/);
  expect((await local.call('GET', `${path}/bad`)).status).toBe(404);
  // The name is free.
  const sound = await upload(formOf('CREATE TABLE t (a);'));
  expect((await create('bad', sound.body['dump_url'])).status).toBe(200);
}, 60_000);

it('are never fetched from anywhere', async () => {
  for (const url of [
    'https://example.com/dump.sql',
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
    `http://x/databases/dumps/1700000000000-${'0'.repeat(32)}.1.short`,
    undefined,
    7,
  ]) {
    expect(await create('fetched', url)).toMatchObject({ status: 400, body: { code: 'OPTION_NOT_OFFERED' } });
  }
  // One that was never uploaded.
  const unknown = `http://x/v1/databases/dumps/1700000000000-${'0'.repeat(32)}.1.${'A'.repeat(43)}`;
  expect(await create('unknown', unknown)).toMatchObject({ status: 400, body: { code: 'DUMP_REFUSED' } });
  expect((await local.call('GET', `${path}/unknown`)).status).toBe(404);
});

it.each<[string, FormData | string, string | undefined]>([
  ['no form', '{}', 'application/json'],
  ['without a boundary', 'x', 'multipart/form-data'],
  ['without the field', formOf(dumped, 'other'), undefined],
  ['with nothing in it', formOf(''), undefined],
  [
    'that is cut off',
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nCREATE',
    'multipart/form-data; boundary=b',
  ],
])('a form %s is refused', async (_what, form, type) => {
  expect(await upload(form, type)).toMatchObject({ status: 400, body: { code: 'MALFORMED_REQUEST' } });
});
