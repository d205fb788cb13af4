/** Databases move from one deployment into another and out again, with the command that people run. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@libsql/client';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const program = fileURLToPath(new URL('../dist/moving/move-command.js', import.meta.url));

let from: LocalSystemForTests;
let to: LocalSystemForTests;
let directory: string;
const file = (name: string): string => join(directory, name);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'moving-'));
  [from, to] = await Promise.all([startLocalSystemForTests(), startLocalSystemForTests()]);
  for (const [name, { system }] of Object.entries({ from, to })) {
    const { apiUrl, dataUrl, organization, token } = system;
    await writeFile(file(`${name}.json`), JSON.stringify({ apiUrl, dataUrl, organization, token }));
  }
});
afterAll(async () => {
  await Promise.all([from.stop(), to.stop()]);
  await rm(directory, { recursive: true });
});

async function move(...words: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { cwd: directory }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: `${stdout}${stderr}` });
    });
  });
}
const fromTo = ['--from', 'from.json', '--to', 'to.json'];

async function connect(local: LocalSystemForTests, name: string): Promise<Client> {
  const { jwt } = await local.api.databases.createToken(name);
  return createClient({ url: `${local.system.dataUrl}/db/${name}-default/`, authToken: jwt, intMode: 'bigint' });
}

/** Runs `use` with a connection. */
async function using<T>(local: LocalSystemForTests, name: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = await connect(local, name);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

const schema = `
  CREATE TABLE child (id INTEGER PRIMARY KEY, parent REFERENCES parent (id));
  CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
  CREATE TABLE kinds (i INTEGER, r REAL, t TEXT, b BLOB, twice AS (i * 2) STORED, "odd ""name" DEFAULT 7);
  CREATE TABLE pairs (a TEXT COLLATE NOCASE, b INTEGER, rest, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
  CREATE VIRTUAL TABLE notes USING fts5(title, body);
  CREATE VIRTUAL TABLE names USING fts5(name, content='parent', content_rowid='id');
  CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1);
  CREATE INDEX by_name ON parent (name) WHERE name IS NOT NULL;
  CREATE VIEW both_of AS SELECT parent.name, child.id FROM parent JOIN child ON child.parent = parent.id;
  CREATE TABLE seen (what);
  CREATE TRIGGER on_parent AFTER INSERT ON parent BEGIN INSERT INTO seen VALUES (new.name); END;
  PRAGMA user_version = 42;
`;

describe('npm run move', () => {
  beforeAll(async () => {
    await from.api.databases.create('alpha', { group: 'default' });
    await from.api.databases.create('beta', { group: 'default' });
    await using(from, 'beta', async (client) => client.execute('CREATE TABLE t (x)'));
    await using(from, 'alpha', async (client) => {
      await client.executeMultiple(schema);
      const statements = [];
      for (let n = 1; n <= 1_200; n++) {
        statements.push({ sql: 'INSERT INTO parent (name) VALUES (?)', args: [n % 7 === 0 ? null : `name ${n}`] });
        statements.push({ sql: 'INSERT INTO child VALUES (?, ?)', args: [n * 3, n] });
      }
      for (let n = 0; n < 40; n++) {
        const args = [2n ** 62n - BigInt(n), n / 3, `t "${n}" ä💾\n`, new Uint8Array(n * 50).fill(n)];
        statements.push({ sql: 'INSERT INTO kinds (i, r, t, b) VALUES (?, ?, ?, ?)', args });
        statements.push({ sql: 'INSERT INTO pairs VALUES (?, ?, ?)', args: [`K${n % 5}`, n, null] });
        statements.push({ sql: 'INSERT INTO notes VALUES (?, ?)', args: [`title ${n}`, `body of number${n}`] });
        statements.push({ sql: 'INSERT INTO boxes VALUES (?, ?, ?)', args: [n, n, n + 0.5] });
      }
      statements.push('DELETE FROM kinds WHERE rowid % 4 = 0', 'DELETE FROM parent WHERE id > 1190 AND false');
      statements.push(
        "INSERT INTO names (names) VALUES ('rebuild')",
        "UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'parent'",
      );
      await client.batch(statements, 'write');
    });
  });

  it('says what it would do, and how it is called', async () => {
    expect(await move(...fromTo, '--dry-run')).toEqual({
      code: 0,
      output: expect.stringMatching(/^alpha \(group default\)\nbeta \(group default\)\n2 databases from default at /),
    });
    expect((await move('--help')).output).toMatch(/^usage: npm run move/);
    expect(await move('--from', 'from.json')).toMatchObject({ code: 2 });
    await writeFile(file('bad.json'), '{"token": "secret-of-mine" "x"}');
    const bad = await move('--from', 'bad.json', '--to', 'to.json');
    expect(bad).toEqual({ code: 2, output: expect.stringContaining('bad.json is not JSON') });
    expect(bad.output).not.toContain('secret-of-mine');
    expect(await move(...fromTo, '--database', 'nobody')).toMatchObject({
      code: 2,
      output: 'there is no database nobody to move\n',
    });
  });

  it('copies schema and rows of every kind, compares them, and stops writers at the source', async () => {
    const { code, output } = await move(...fromTo, '--freeze', '--access', 'access.jsonl');
    expect([code, output]).toEqual([0, expect.stringContaining('2 moved, 0 were there from before, 0 failed')]);
    expect(output).toMatch(/alpha: ok, 8 tables, \d+ rows, equal on both sides/);
    await using(to, 'alpha', async (client) => {
      const one = async (sql: string) => Object.values({ ...(await client.execute(sql)).rows[0] });
      expect(await one('SELECT count(*), sum(twice), count(DISTINCT hex(b)), min("odd ""name") FROM kinds')).toEqual(
        await using(from, 'alpha', async (source) =>
          Object.values({
            ...(
              await source.execute('SELECT count(*), sum(twice), count(DISTINCT hex(b)), min("odd ""name") FROM kinds')
            ).rows[0],
          }),
        ),
      );
      expect(await one("SELECT rowid, title FROM notes WHERE notes MATCH 'number17'")).toEqual([18n, 'title 17']);
      expect(await one("SELECT count(*) FROM names WHERE names MATCH 'name'")).toEqual([1029n]);
      expect(await one('SELECT id FROM boxes WHERE x0 > 10.9 AND x1 < 11.9')).toEqual([11n]);
      expect(await one('SELECT count(*) FROM seen')).toEqual([1200n]);
      expect(await one('PRAGMA user_version')).toEqual([42n]);
      expect(await one("INSERT INTO parent (name) VALUES ('next') RETURNING id")).toEqual([5001n]);
      expect(await one('SELECT count(*) FROM seen')).toEqual([1201n]);
      await client.batch(["DELETE FROM seen WHERE what = 'next'", 'DELETE FROM parent WHERE id = 5001'], 'write');
    });
    await using(from, 'alpha', async (client) => {
      await expect(client.execute("INSERT INTO seen VALUES ('late')")).rejects.toMatchObject({ code: 'BLOCKED' });
    });
    const lines = (await readFile(file('access.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; url: string; token: string });
    expect(lines.map(({ name }) => name).sort()).toEqual(['alpha', 'beta']);
    expect((await stat(file('access.jsonl'))).mode & 0o777).toBe(0o600);
    const client = createClient({ url: lines[0]!.url, authToken: lines[0]!.token });
    expect((await client.execute('SELECT 1 AS one')).rows[0]?.['one']).toBe(1);
    client.close();
  });

  it('goes on where it was interrupted, and copies again what has changed since', async () => {
    await using(to, 'alpha', async (client) =>
      client.executeMultiple('DELETE FROM child WHERE id > 900; DROP VIEW both_of;'),
    );
    expect(await move(...fromTo, '--unfreeze')).toMatchObject({ code: 0 });
    await using(from, 'alpha', async (client) => {
      for (;;) {
        try {
          return await client.execute("UPDATE pairs SET rest = 'changed' WHERE b = 3");
        } catch (error) {
          // Until the node has heard of it.
          expect(error).toMatchObject({ code: 'BLOCKED' });
          await delay(100);
        }
      }
    });
    const state = JSON.parse(await readFile(file('turso-byoc-move.json'), 'utf8')) as {
      databases: Record<string, string>;
    };
    expect(state.databases).toEqual({ alpha: 'done', beta: 'done' });
    state.databases['alpha'] = 'begun';
    await writeFile(file('turso-byoc-move.json'), JSON.stringify(state));
    const { code, output } = await move(...fromTo);
    expect([code, output]).toEqual([0, expect.stringContaining('1 moved, 1 were there from before, 0 failed')]);
    expect(output).toContain('alpha: pairs: changed since it was copied, once more');
    await using(to, 'alpha', async (client) => {
      expect((await client.execute('SELECT count(*) AS n FROM both_of')).rows[0]?.['n']).toBe(1200n);
      expect((await client.execute("SELECT count(*) AS n FROM pairs WHERE rest = 'changed'")).rows[0]?.['n']).toBe(1n);
    });
  });

  it('overwrites nothing that it did not make', async () => {
    const { code, output } = await move(...fromTo, '--state', 'other.json', '--database', 'alpha');
    expect([code, output]).toEqual([1, expect.stringMatching(/FAILED alpha: .* is not empty; nothing is overwritten/)]);
    expect(await move('--from', 'to.json', '--to', 'from.json')).toMatchObject({
      code: 2,
      output: expect.stringContaining('belongs to another move'),
    });
  });

  it('moves one database out into any server of SQL over HTTP', async () => {
    await from.api.databases.create('outside', { group: 'default' });
    const { jwt } = await from.api.databases.createToken('outside');
    const place = { url: `${from.system.dataUrl}/db/outside-default/`, name: 'alpha', token: jwt };
    await writeFile(file('outside.json'), JSON.stringify(place));
    const out = ['--from', 'to.json', '--to', 'outside.json', '--state', 'out.json'];
    expect(await move(...out, '--database', 'beta')).toMatchObject({
      code: 1,
      output: expect.stringContaining('is one database, "alpha"'),
    });
    const { code, output } = await move(...out, '--database', 'alpha');
    expect([code, output]).toEqual([0, expect.stringContaining('equal on both sides')]);
  });
});
