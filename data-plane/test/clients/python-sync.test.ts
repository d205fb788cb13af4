/** Turso Sync for Python (`pyturso`), unchanged, against a real node. `.ci/install-python-client` installs it. */
import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DataNode, type TestDatabase } from '../support/data-node.js';

const python = process.env['TURSO_BYOC_TEST_PYTURSO'];
/** Why there is no client to test; undefined when there is one. */
const missing =
  python === undefined
    ? 'TURSO_BYOC_TEST_PYTURSO is not set'
    : spawnSync(python, ['-c', 'import turso.sync']).status !== 0
      ? `${python} cannot import turso.sync`
      : undefined;

type Step = Readonly<Record<string, unknown>> & { readonly do: string; readonly name: string };

/** The client's process: a step after the other. */
class PythonClient {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(program: string) {
    const script = fileURLToPath(new URL('python/sync_client.py', import.meta.url));
    this.#process = spawn(program, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** What the client answers. Throws what it throws. */
  async do(step: Step): Promise<unknown> {
    this.#process.stdin.write(`${JSON.stringify(step)}\n`);
    const { value } = await this.#answers.next();
    const answer = JSON.parse(String(value)) as { ok?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.ok;
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}

describe('Turso Sync for Python', () => {
  if (missing !== undefined) {
    const note = `skipped: ${missing}, see .ci/install-python-client`;
    it(note, () => {
      process.stderr.write(`Turso Sync for Python: ${note}\n`);
    });
    return;
  }
  let node: DataNode;
  let client: PythonClient;
  let directory: string;
  beforeAll(async () => {
    node = await DataNode.start();
    client = new PythonClient(python ?? '');
    directory = await mkdtemp(join(tmpdir(), 'turso-byoc-python-'));
  }, 120_000);
  afterAll(async () => {
    client.end();
    await node.dispose();
    await rm(directory, { recursive: true, force: true });
  });

  const connect = async (name: string, database: TestDatabase, more: object = {}): Promise<unknown> =>
    client.do({
      do: 'connect',
      name,
      path: join(directory, `${name}.db`),
      url: database.url.replace(/\/$/, ''),
      token: database.token,
      ...more,
    });
  const run = async (name: string, sql: string, ...parameters: unknown[]): Promise<unknown> =>
    client.do({ do: 'run', name, sql, parameters });
  const sync = async (name: string, what: 'push' | 'pull' | 'checkpoint'): Promise<unknown> =>
    client.do({ do: what, name });

  it.each(['libsql', 'tursodb'] as const)(
    'replicates a database, pushes what it wrote, and pulls what others wrote, %s',
    async (engine) => {
      const database = await node.createDatabase(`python-${engine}`, engine);
      await node.run(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v)', "INSERT INTO t VALUES (1, 'there')");
      const [one, two] = [`one-${engine}`, `two-${engine}`];
      await connect(one, database);
      await connect(two, database);
      expect(await run(one, 'SELECT v FROM t')).toEqual([['there']]);
      await run(one, 'INSERT INTO t VALUES (?, ?), (?, ?)', 2, 'pythön', 3, null);
      await run(one, 'UPDATE t SET v = 1.5 WHERE id = 1');
      expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([['1']]);
      await sync(one, 'push');
      expect(await node.run(database, 'SELECT id, v FROM t ORDER BY id')).toEqual([
        ['1', 1.5],
        ['2', 'pythön'],
        ['3', null],
      ]);
      expect(await sync(two, 'pull')).toBe(true);
      expect(await run(two, 'SELECT id, v FROM t ORDER BY id')).toEqual([
        [1, 1.5],
        [2, 'pythön'],
        [3, null],
      ]);
      expect(await sync(two, 'pull')).toBe(false);
      await node.run(database, 'DELETE FROM t WHERE id = 3');
      await sync(one, 'pull');
      await sync(one, 'checkpoint');
      expect(await run(one, 'SELECT count(*) FROM t')).toEqual([[2]]);
      // Who pushes last wins.
      await run(one, "UPDATE t SET v = 'one' WHERE id = 2");
      await run(two, "UPDATE t SET v = 'two' WHERE id = 2");
      await sync(one, 'push');
      await sync(two, 'push');
      expect(await node.run(database, 'SELECT v FROM t WHERE id = 2')).toEqual([['two']]);
    },
    120_000,
  );

  it('begins with a part of a database and fetches what it reads', async () => {
    const database = await node.createDatabase('python-partial');
    await node.run(
      database,
      'CREATE TABLE t (id INTEGER PRIMARY KEY, v)',
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, hex(randomblob(200)) FROM n',
    );
    await connect('partial', database, { prefix: 128 * 1024 });
    const [[wanted]] = (await node.run(database, 'SELECT v FROM t WHERE id = 1900')) as [[string]];
    expect(await run('partial', 'SELECT v FROM t WHERE id = 1900')).toEqual([[wanted]]);
    expect(await run('partial', 'SELECT count(*) FROM t')).toEqual([[2000]]);
  }, 120_000);

  it('is told why a token is refused', async () => {
    const database = await node.createDatabase('python-refused');
    await expect(connect('refused', { ...database, token: 'no.such.token' })).rejects.toThrow(/401|AUTH|token/i);
  });
});
