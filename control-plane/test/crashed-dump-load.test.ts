/**
 * The control plane is killed while a data node loads a dump for it. What the data node loaded to its end is finished, what it did not is
 * undone, and whoever asks again with the same dump has one database: nothing is left that nobody would ever finish.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

let local: LocalSystemForTests;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'crashed-dump-load-'));
  local = await startLocalSystemForTests({
    controlPlane: fileURLToPath(new URL('support/crash-once.js', import.meta.url)),
    environment: {
      CRASH_STEP: 'dump-load-leased',
      CRASH_DATABASE: 'victim',
      CRASH_FILE: join(directory, 'crashed'),
    },
  });
}, 60_000);
afterAll(async () => {
  await local.stop();
  await rm(directory, { recursive: true });
});

/** Takes a data node a second or two. */
const slowly = `CREATE TABLE t (n);
INSERT INTO t WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000) SELECT n FROM c WHERE n <= 3;
`;

async function upload(text: string): Promise<string> {
  const form = new FormData();
  form.append('file', new Blob([text]), 'dump.sql');
  const answer = await fetch(`${local.system.apiUrl}/v1/databases/dumps`, {
    method: 'POST',
    headers: { authorization: `Bearer ${local.system.token}` },
    body: form,
  });
  return ((await answer.json()) as { dump_url: string }).dump_url;
}

const create = async (name: string, url: string): ReturnType<LocalSystemForTests['call']> =>
  local.call('POST', '/v1/databases', { name, size_limit: '7mb', seed: { type: 'dump', url } });

/** Calls until it is good; a control plane that is being started again does not answer. */
async function eventually<T>(operation: () => Promise<T>, isGood: (value: T) => boolean, everyMs = 50): Promise<T> {
  for (;;) {
    const value = await operation().catch((error: unknown) => {
      if ((error as Error).name !== 'TypeError') throw error;
      return undefined;
    });
    if (value !== undefined && isGood(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Paths below the data directory of which the test says so. */
async function found(isWanted: (path: string) => boolean): Promise<string[]> {
  return (await readdir(local.dataDirectory, { recursive: true })).filter(isWanted);
}
/** As a store in files names them. */
const stagedChunks = async (): Promise<string[]> => found((path) => /\bdumps,d\/[^/]+,d\/[0-9]+,o$/.test(path));

/** Begins a creation and kills the control plane while a data node loads the dump. */
async function killedWhileLoading(name: string, url: string): Promise<void> {
  expect(await stagedChunks()).toHaveLength(1);
  const { controlPlane } = local.system.processes();
  if (controlPlane === undefined) throw new Error('no control plane runs');
  const created = create(name, url);
  await eventually(
    async () => found((path) => /\bload\.[0-9a-f]{8}$/.test(path)),
    (paths) => paths.length > 0,
  );
  process.kill(controlPlane, 'SIGKILL');
  await expect(created).rejects.toThrow();
}

const rowsOf = async (name: string): Promise<unknown> => {
  const { jwt } = await local.api.databases.createToken(name);
  return (await local.open(name, jwt).execute('SELECT count(*) AS n FROM t')).rows[0]?.['n'];
};
const get = async (name: string): ReturnType<LocalSystemForTests['call']> => local.call('GET', `/v1/databases/${name}`);

/** Both planes have the same databases, nobody remembers another one, and no dump is left. */
async function expectNothingOrphaned(): Promise<void> {
  const { body } = await local.call('GET', '/v1/catalog/drift');
  expect(body).toMatchObject({ rows: expect.any(Number) as number, manifests: body['rows'], drift: [] });
  expect((await local.call('GET', '/v1/deleted-databases')).body).toEqual({ databases: [] });
  await eventually(stagedChunks, (chunks) => chunks.length === 0);
}

it('a dump that was loaded to its end is the database', async () => {
  const url = await upload(slowly);
  await killedWhileLoading('finished', url);
  await eventually(
    async () => get('finished'),
    ({ status }) => status === 200,
  );
  expect(await rowsOf('finished')).toBe(3);
  const { body } = await local.call('GET', '/v1/databases/finished/configuration');
  expect(body).toMatchObject({ size_limit: '7340032' });
  expect((await create('finished', url)).status).toBe(409);
  await expectNothingOrphaned();
}, 60_000);

it('whoever asks again, with the same dump and before anything was given up, has the database', async () => {
  const quickly = 'CREATE TABLE t (n);\nINSERT INTO t VALUES (1), (2), (3);\n';
  const [url, other] = [await upload(quickly), await upload(quickly)];
  await expect(create('victim', url)).rejects.toThrow();
  // Not with another dump: that is another database.
  const refused = await eventually(
    async () => create('victim', other),
    () => true,
  );
  expect(refused.status).toBe(409);
  expect((await create('victim', url)).status).toBe(200);
  expect(await rowsOf('victim')).toBe(3);
  expect((await create('victim', url)).status).toBe(409);
  // What was uploaded for nothing.
  expect((await create('other', other)).status).toBe(200);
  await expectNothingOrphaned();
}, 60_000);

it('what did not become a database is undone, and its name is free', async () => {
  const url = await upload(`${slowly}CREATE UNIQUE INDEX u ON t (n % 2);`);
  await killedWhileLoading('undone', url);
  // Its request counts as alive for a while; nobody is told that the dump was refused.
  await eventually(
    async () => local.call('DELETE', '/v1/databases/none'),
    ({ status }) => status === 404,
  );
  expect((await local.call('POST', '/v1/databases', { name: 'undone' })).status).toBe(409);
  const again = await eventually(
    async () => local.call('POST', '/v1/databases', { name: 'undone' }),
    ({ status }) => status !== 409,
    1_000,
  );
  expect(again.status).toBe(200);
  await expectNothingOrphaned();
}, 120_000);
