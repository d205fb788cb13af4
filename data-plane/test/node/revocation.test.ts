/** A running node whose keys are taken away and given back, and whose key service falls silent. */
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKey, setKeyState } from '../../src/keys/local-key-service.js';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { filesBelow } from '../files-below.js';

const marker = 'the-marker-that-a-tenant-wrote';
const keyNames = ['key-a', 'key-b'] as const;

describe('revocation on a running node', () => {
  let node: DataNode;
  const databases: Record<(typeof keyNames)[number], TestDatabase[]> = { 'key-a': [], 'key-b': [] };
  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_KEY_PROBE_MS: '300', TURSO_BYOC_KEY_GRACE_MS: '2000' });
    for (const keyId of keyNames) {
      await createKey(node.keyDirectory, keyId, Date.now());
      for (const name of ['one', 'two']) {
        databases[keyId].push(await node.createDatabase(`${keyId}-${name}`, 'libsql', { keyId }));
      }
    }
  });
  beforeEach(async () => {
    for (const database of [...databases['key-a'], ...databases['key-b']]) {
      await node.run(database, 'CREATE TABLE IF NOT EXISTS t (a)', `INSERT INTO t VALUES ('${marker}')`);
    }
  });
  afterAll(async () => node.dispose());

  const met = async (database: TestDatabase): Promise<string> =>
    node.run(database, 'SELECT max(a) FROM t').then(
      ([row]) => String(row?.[0]),
      (error: unknown) => (error instanceof StatementError ? error.code : String(error)),
    );
  const meets = async (database: TestDatabase, what: string): Promise<void> => {
    for (const untilMs = Date.now() + 60_000; ;) {
      const now = await met(database);
      if (now === what) return;
      if (Date.now() > untilMs) throw new Error(`${database.name} still meets ${now}, not ${what}`);
      await delay(50);
    }
  };
  const closed = async (cause: string): Promise<number> => node.counted('databases_closed_for_key_total', cause);
  const openDatabases = async (): Promise<number> => node.counted('open_databases');
  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    for (const untilMs = Date.now() + 60_000; !(await condition());) {
      if (Date.now() > untilMs) throw new Error('it did not come to that');
      await delay(50);
    }
  };
  const lines = (event: string): any[] =>
    node.logLines.filter((line) => line.includes(`"${event}"`)).map((line) => JSON.parse(line));

  it.each(['disabled', 'pending-deletion'] as const)(
    'a key that becomes %s ends its databases, wipes their files, and gives them back by itself',
    async (state) => {
      const before = await closed('refused');
      const taken = lines('key taken from its databases').length;
      await setKeyState(node.keyDirectory, 'key-a', state);
      // Nobody asks for them: the node finds out by itself.
      await until(async () => (await closed('refused')) === before + 2);
      await until(async () => (await openDatabases()) === 2);
      for (const database of databases['key-a']) expect(await met(database)).toBe('KEY_REVOKED');
      for (const database of databases['key-b']) expect(await met(database)).toBe(marker);
      const written = `INSERT INTO t VALUES ('more')`;
      for (const database of databases['key-b']) await node.run(database, written);
      await expect(node.run(databases['key-a'][0] as TestDatabase, written)).rejects.toThrow(/^KEY_REVOKED: 403/);

      const ids = databases['key-a'].map(({ id }) => id);
      await until(async () => {
        const left = (await filesBelow(node.cacheDirectory)).filter((path) => ids.some((id) => path.includes(id)));
        return left.length === 0;
      });
      expect(lines('key taken from its databases').slice(taken)).toMatchObject([
        { key: 'key-a', cause: state, databases: 2 },
      ]);
      const given = lines('database given up').filter(({ code }) => code === 'KEY_REVOKED');
      expect(given.map(({ database }) => database)).toEqual(expect.arrayContaining(ids));

      await setKeyState(node.keyDirectory, 'key-a', 'enabled');
      for (const database of databases['key-a']) await meets(database, marker);
      await node.run(databases['key-a'][0] as TestDatabase, written);
      expect(lines('key usable again')).not.toEqual([]);
    },
  );

  it('ends a transaction that is open, and never calls a commit done that is not', async () => {
    const [database] = databases['key-a'] as [TestDatabase];
    const rows = Number((await node.run(database, 'SELECT count(*) FROM t'))[0]?.[0]);
    const begun = await node.pipeline(database, [
      { type: 'execute', stmt: { sql: 'BEGIN' } },
      { type: 'execute', stmt: { sql: 'INSERT INTO t VALUES (1)' } },
    ]);
    await setKeyState(node.keyDirectory, 'key-a', 'disabled');
    const commits: string[] = [];
    const writer = (async () => {
      for (;;) {
        try {
          await node.run(databases['key-a'][1] as TestDatabase, "INSERT INTO t VALUES ('committed')");
          commits.push('done');
        } catch (error) {
          return (error as StatementError).code;
        }
      }
    })();
    expect(['KEY_REVOKED', 'OUTCOME_UNKNOWN']).toContain(await writer);
    await meets(database, 'KEY_REVOKED');
    const ended = await node.pipeline(database, [{ type: 'execute', stmt: { sql: 'COMMIT' } }], {
      baton: begun.body.baton,
    });
    expect(ended.status).toBeGreaterThanOrEqual(400);
    await setKeyState(node.keyDirectory, 'key-a', 'enabled');
    await meets(database, marker);
    expect(await node.run(database, 'SELECT count(*) FROM t')).toEqual([[String(rows)]]);
    const [[stored]] = (await node.run(
      databases['key-a'][1] as TestDatabase,
      "SELECT count(*) FROM t WHERE a = 'committed'",
    )) as [[string]];
    expect(Number(stored)).toBeGreaterThanOrEqual(commits.length);
    expect(Number(stored)).toBeLessThanOrEqual(commits.length + 1);
  });

  it('a key service that says nothing ends nothing for a while, then everything of the key', async () => {
    const file = join(node.keyDirectory, 'key-a.key');
    const original = await readFile(file);
    const [before, refused] = [await closed('unavailable'), await closed('refused')];
    await writeFile(file, 'damaged', { mode: 0o600 });
    await until(async () => lines('nothing is known about a key').some(({ key }) => key === 'key-a'));
    for (const database of databases['key-a']) expect(await met(database)).toBe(marker);
    await until(async () => (await closed('unavailable')) === before + 2);
    for (const database of databases['key-a']) expect(await met(database)).toBe('KEY_UNAVAILABLE');
    for (const database of databases['key-b']) expect(await met(database)).toBe(marker);
    await writeFile(file, original, { mode: 0o600 });
    for (const database of databases['key-a']) await meets(database, marker);
    expect(await closed('refused')).toBe(refused);
  });

  it('a key that is replaced by another of its name ends its databases', async () => {
    const file = join(node.keyDirectory, 'key-a.key');
    const original = await readFile(file);
    const elsewhere = await mkdtemp(join(tmpdir(), 'other-keys-'));
    await createKey(elsewhere, 'key-a', Date.now());
    const before = await closed('mismatch');
    await rename(join(elsewhere, 'key-a.key'), file);
    await rm(elsewhere, { recursive: true });
    await until(async () => (await closed('mismatch')) === before + 2);
    for (const database of databases['key-a']) expect(await met(database)).toBe('KEY_WRONG');
    await writeFile(file, original, { mode: 0o600 });
    for (const database of databases['key-a']) await meets(database, marker);
  });

  it('asks for each key, not for each database', async () => {
    const more: TestDatabase[] = [];
    for (let n = 0; n < 20; n++) more.push(await node.createDatabase(`many-${n}`, 'libsql', { keyId: 'key-b' }));
    for (const database of more) await node.run(database, 'SELECT 1');
    const probes = async (): Promise<number> => node.counted('key_requests_total', 'operation="probe"');
    const keys = await node.counted('keys_in_use');
    const [before, startedMs] = [await probes(), Date.now()];
    await delay(3_000);
    const intervals = (Date.now() - startedMs) / 270;
    const made = (await probes()) - before;
    expect(made).toBeGreaterThan(0);
    expect(made).toBeLessThanOrEqual(Math.ceil(intervals) * keys + keys);
  });
});
