/** Databases that begin as dumps, on a real node: whole, cut anywhere, of other servers, and refused without a trace. */
import { randomBytes } from 'node:crypto';
import { newClientKey, withKey } from '../support/client-keys.js';
import { DataNode, sharedLease, type TestDatabase } from '../support/data-node.js';

let node: DataNode;
let count = 0;
beforeAll(async () => {
  node = await DataNode.start(sharedLease);
}, 120_000);
afterAll(async () => node.dispose());

const awaiting = async (engine: 'libsql' | 'tursodb' = 'libsql', more: object = {}): Promise<TestDatabase> =>
  node.createDatabase(`dumped-${count++}`, engine, { awaitsFile: true, ...more });

interface Staged {
  readonly dump: string;
  readonly key: string;
  readonly chunks: number;
}

/** Uploads a dump in pieces of a length. */
async function stage(text: string | Buffer, pieceBytes = 4 * 2 ** 20): Promise<Staged> {
  const bytes = Buffer.from(text);
  const key = randomBytes(32);
  const dump = `${Date.now()}-${randomBytes(16).toString('hex')}`;
  let chunks = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const content = Buffer.concat([key, bytes.subarray(at, at + pieceBytes)]);
    const answer = await node.adminBytes('PUT', `/admin/v1/dumps/${dump}/${chunks++}`, content);
    expect(answer.status).toBe(200);
  }
  return { dump, key: key.toString('base64'), chunks };
}

/** What loading a dump answers: `loaded`, or what is wrong. */
async function load({ id }: TestDatabase, staged: Staged, more: object = {}): Promise<string> {
  const answer = await node.admin('POST', `/admin/v1/databases/${id}/dump`, { ...staged, ...more });
  const { code, message } = (await answer.json()) as { code?: string; message?: string };
  return answer.status === 200 ? 'loaded' : `${code}: ${message}`;
}

const dumped = `PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT /* a comment; with a semicolon */);
INSERT INTO parent VALUES(1,'a ''quoted''; text -- not a comment');
INSERT INTO parent VALUES(7,'ünïcode 🙂');
CREATE TABLE child (parent INTEGER REFERENCES parent, b BLOB, r REAL, CHECK (r < 100));
INSERT INTO child VALUES(7,X'00ff3b',1.5);
INSERT INTO child VALUES(99,NULL,-2.0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('parent',7);
CREATE INDEX child_by_parent ON child (parent);
CREATE VIEW both AS SELECT * FROM parent JOIN child ON child.parent = parent.id;
CREATE TRIGGER copied AFTER INSERT ON parent BEGIN INSERT INTO child VALUES (new.id, NULL, 0); SELECT 1; END;
COMMIT;
`;
const content = async (of: TestDatabase): Promise<unknown> =>
  node.run(of, 'SELECT id, name FROM parent', 'SELECT parent, hex(b), r FROM child ORDER BY r DESC');

describe.each(['libsql', 'tursodb'] as const)('a dump, %s', (engine) => {
  it('becomes a database, wherever it is cut', async () => {
    const expected = [
      ['7', '00FF3B', 1.5],
      ['99', '', -2],
    ];
    for (const piece of engine === 'libsql' ? [3] : [dumped.length * 2]) {
      const database = await awaiting(engine);
      expect(await load(database, await stage(dumped, piece))).toBe('loaded');
      expect(await content(database)).toEqual(expected);
      expect(await node.run(database, 'SELECT name FROM parent ORDER BY id')).toEqual([
        ["a 'quoted'; text -- not a comment"],
        ['ünïcode 🙂'],
      ]);
      await node.run(database, "INSERT INTO parent (name) VALUES ('next')");
      expect(await node.run(database, 'SELECT parent FROM child WHERE r = 0')).toEqual([['8']]);
    }
  }, 60_000);
});

it('is what this product writes itself, of ten thousand rows', async () => {
  const source = await node.createDatabase('source');
  await node.run(
    source,
    'CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB)',
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) INSERT INTO t SELECT i, 'row ' || i, randomblob(200) FROM n",
    'CREATE VIRTUAL TABLE words USING fts5(body)',
    "INSERT INTO words VALUES ('pears and apples')",
  );
  const text = await (
    await fetch(`${source.url}dump`, { headers: { authorization: `Bearer ${source.token}` } })
  ).text();
  const key = newClientKey('aegis256');
  for (const database of [
    await awaiting(),
    withKey(await awaiting('libsql', { encryption: { key, cipher: 'aegis256' } }), key),
  ]) {
    const more = database.headers ? { clientKey: key } : {};
    expect(await load(database, await stage(text, 1_000_000), more)).toBe('loaded');
    const sum = 'SELECT count(*), sum(id), hex(max(b)), max(a) FROM t';
    expect(await node.run(database, sum)).toEqual(await node.run(source, sum));
    expect(await node.run(database, "SELECT * FROM words WHERE words MATCH 'apples'")).toEqual([['pears and apples']]);
    expect(await node.run(database, 'PRAGMA integrity_check')).toEqual([['ok']]);
  }
}, 60_000);

it.each<[string, string | Buffer, RegExp]>([
  ['is cut off', dumped.slice(0, -9), /before its COMMIT/],
  ['is cut off within a statement', dumped.slice(0, 300), /UPLOAD_INVALID/],
  ['was not written to its end', 'BEGIN; CREATE TABLE t (a); ROLLBACK;', /ROLLBACK/],
  [
    'breaks a constraint',
    'CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);',
    /statement 3 .*UNIQUE/,
  ],
  ['attaches a file', "ATTACH '/etc/passwd' AS p;", /statement 1 .*ATTACH/],
  [
    'writes the schema',
    "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('a','b','c',1,'d');",
    /statement [12] /,
  ],
  ['loads an extension', "SELECT load_extension('x');", /statement 1 /],
  ['asks something', 'CREATE TABLE t (a); SELECT * FROM t;', /asks nothing/],
  ['makes a TEMP table', 'CREATE TEMP TABLE t (a);', /TEMP/],
  ['is no SQL', 'SQLite format 3\0 and so on;', /UPLOAD_INVALID/],
  ['is not UTF-8', Buffer.from('494e53455254ff27ff', 'hex'), /not UTF-8/],
  ['has parameters', 'CREATE TABLE t (a); INSERT INTO t VALUES (?);', /no parameters/],
])('refuses a dump that %s, and leaves nothing of it', async (_what, text, reason) => {
  const database = await awaiting();
  expect(await load(database, await stage(text))).toMatch(reason);
  await expect(node.run(database, 'SELECT 1')).rejects.toThrow('DATABASE_AWAITS_FILE');
});

it('can be followed by one that is sound', async () => {
  const database = await awaiting();
  expect(await load(database, await stage('CREATE TABLE before (a); nonsense;'))).toMatch(/statement 2 /);
  expect(await load(database, await stage('CREATE TABLE after (a);'))).toBe('loaded');
  const tables = "SELECT group_concat(name) FROM sqlite_schema WHERE type = 'table'";
  expect(await node.run(database, tables)).toEqual([['after']]);
});

it('keeps to the size limit of the database', async () => {
  const database = await awaiting();
  const big = await stage('CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(500000));');
  expect(await load(database, big, { maxBytes: 100_000 })).toMatch(/UPLOAD_INVALID: statement 2 .*full/);
  expect(await load(database, big, { maxBytes: 1_000_000 })).toBe('loaded');
});

it('is opened by its key only, and gone when a database began as it', async () => {
  const [first, second] = [await awaiting(), await awaiting()];
  const staged = await stage('CREATE TABLE canary_in_dump (a);');
  expect(await load(first, { ...staged, key: randomBytes(32).toString('base64') })).toMatch(/^DUMP_NOT_FOUND/);
  expect(await load(first, { ...staged, chunks: 2 })).toMatch(/^DUMP_NOT_FOUND/);
  const { filesWith, Canary } = await import('../support/canaries.js');
  expect(await filesWith([Canary.ofText('dump', 'canary_in_dump')], node.storeDirectory)).toEqual([]);
  expect(await load(first, staged)).toBe('loaded');
  expect(await load(first, staged)).toMatch(/^UPLOAD_NOT_AWAITED/);
  expect(await load(second, staged)).toMatch(/^DUMP_NOT_FOUND/);
});

it('is removed when no database will begin as it, and the database says that it still awaits a file', async () => {
  const database = await awaiting();
  const awaitsFile = async (): Promise<unknown> => {
    const answer = await node.admin('GET', `/admin/v1/databases/${database.id}`);
    return ((await answer.json()) as { database: { awaitsFile?: boolean } }).database.awaitsFile;
  };
  const [first, second] = [await stage('CREATE TABLE t (a);', 5), await stage('CREATE TABLE t (a);')];
  const remove = async (): Promise<number> => (await node.admin('DELETE', `/admin/v1/dumps/${first.dump}`)).status;
  expect([await remove(), await remove()]).toEqual([200, 200]);
  for (const dump of ['manifests', '..%2fmanifests', first.dump.slice(0, -1)]) {
    expect((await node.admin('DELETE', `/admin/v1/dumps/${dump}`)).status).toBe(400);
  }
  expect(await load(database, first)).toMatch(/^DUMP_NOT_FOUND/);
  expect(await awaitsFile()).toBe(true);
  expect(await load(database, second)).toBe('loaded');
  expect(await awaitsFile()).toBeUndefined();
});

it('is loaded by the owner of the database, whichever node is asked', async () => {
  const database = await awaiting();
  const begun = await fetch(`${database.url}v2/upload/start`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${database.token}` },
    body: JSON.stringify({ db_size_bytes: 4_096 }),
  });
  expect(begun.status).toBe(200);
  const other = await node.startBeside();
  try {
    const staged = await stage('CREATE TABLE through_another (a);');
    const answer = await other.admin('POST', `/admin/v1/databases/${database.id}/dump`, staged);
    expect(answer.status).toBe(200);
    expect(await node.run(database, 'SELECT name FROM sqlite_schema')).toEqual([['through_another']]);
    expect([await node.counted('open_databases'), await other.counted('open_databases')]).toEqual([
      expect.any(Number),
      0,
    ]);
  } finally {
    await other.end('SIGKILL');
  }
}, 120_000);
