/**
 * One life of databases whose clients hold the key and of databases whose keys the key service wraps, from creation to
 * revocation: no key is ever written or said anywhere, and what a tenant writes is nowhere but in the cache of a node that has
 * the database open.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientKey } from '../../src/keys/client-key.js';
import { createKey, LocalKeyService, setKeyState } from '../../src/keys/local-key-service.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { systemRuntime } from '../../src/runtime.js';
import { isServiceWrapped, type Manifest } from '../../src/storage/manifest.js';
import { ManifestStore } from '../../src/storage/manifest-store.js';
import type { DatabaseId } from '../../src/identity.js';
import { Canary, commandOf, filesWith, memoryHas } from '../support/canaries.js';
import { newClientKey, withKey, withoutKey } from '../support/client-keys.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { engineProcesses } from '../support/engine-processes.js';
import { join } from 'node:path';

it('keys and content are seen nowhere but where they belong', async () => {
  const node = await DataNode.start({
    TURSO_BYOC_LOG_LEVEL: 'debug',
    TURSO_BYOC_KEY_PROBE_MS: '200',
    TURSO_BYOC_IDLE_CLOSE_MS: '2000',
    TURSO_BYOC_COMMIT_WINDOW_MS: '1',
  });
  try {
    await createKey(node.keyDirectory, 'of-tenant', Date.now());
    const clientKey = newClientKey('aegis256');
    const wrongKey = newClientKey('aegis256');
    const encryption = { key: clientKey, cipher: 'aegis256' };
    const marker = `marker-${randomUUID()}`;
    const markers = [Canary.ofText('marker', marker)];
    const secrets = [
      new Canary('client key', Buffer.from(clientKey, 'base64')),
      new Canary('wrong client key', Buffer.from(wrongKey, 'base64')),
    ];
    const said: string[] = [];

    const keyed = [
      withKey(await node.createDatabase('keyed-libsql', 'libsql', { encryption }), clientKey),
      withKey(await node.createDatabase('keyed-tursodb', 'tursodb', { encryption }), clientKey),
    ];
    const served = [
      await node.createDatabase('served-libsql', 'libsql', { keyId: 'of-tenant' }),
      await node.createDatabase('served-tursodb', 'tursodb', { keyId: 'of-tenant' }),
    ];
    const all = [...keyed, ...served];
    for (const database of all)
      secrets.push(new Canary(`data key of ${database.name}`, await dataKeyOf(node, database, clientKey)));
    expect(secrets).toHaveLength(6);

    /** Everything that is said or written may be looked at; the keys are in none of it, the marker in no stored object. */
    const assertNoKeys = async (): Promise<void> => {
      said.push(...node.logLines, await (await node.admin('GET', '/admin/v1/metrics')).text());
      for (const database of all)
        said.push(await (await node.admin('GET', `/admin/v1/databases/${database.id}`)).text());
      for (const text of said.splice(0))
        for (const secret of secrets)
          expect([secret.name, secret.isIn(text), text]).toEqual([secret.name, false, text]);
      expect(await filesWith([...secrets, ...markers], node.storeDirectory)).toEqual([]);
      expect(await filesWith(secrets, node.cacheDirectory)).toEqual([]);
      const engines = engineProcesses(node);
      expect(engines.length).toBeGreaterThan(0);
      for (const pid of [node.pid, ...engines]) {
        expect(commandOf(pid).length).toBeGreaterThan(0);
        for (const secret of secrets)
          expect([pid, secret.name, secret.isIn(commandOf(pid))]).toEqual([pid, secret.name, false]);
      }
    };
    const assertClosed = async (): Promise<void> => {
      while ((await node.counted('open_databases')) > 0) await delay(50);
      for (const untilMs = Date.now() + 30_000; ;) {
        const left = await filesWith([...secrets, ...markers], node.cacheDirectory);
        if (left.length === 0) return;
        if (Date.now() > untilMs) expect(left).toEqual([]);
        await delay(50);
      }
    };
    /** Some of what clients do, well and badly; every answer is kept to be searched. */
    const use = async (databases: readonly TestDatabase[]): Promise<void> => {
      for (const database of databases) {
        const execute = (sql: string, args: unknown[] = []): object => ({ type: 'execute', stmt: { sql, args } });
        const text = { type: 'text', value: marker };
        const requests = [
          execute('CREATE TABLE IF NOT EXISTS t (a TEXT)'),
          execute('INSERT INTO t VALUES (?)', [text]),
          execute(`INSERT INTO t SELECT '${marker}' FROM generate_series(1, 200)`),
          execute('SELECT * FROM missing'),
          { type: 'close' },
        ];
        const send = async () => node.post(database, 'v3/pipeline', JSON.stringify({ baton: null, requests }));
        let first = await send();
        // The engine process that was killed may take one request with it.
        for (const untilMs = Date.now() + 30_000; first.status === 503 && Date.now() < untilMs; first = await send()) {
          said.push(first.text);
        }
        const answers = [first];
        expect([database.name, first.status, first.text]).toEqual([database.name, 200, expect.any(String)]);
        const cursor = JSON.stringify({ baton: null, batch: { steps: [{ stmt: { sql: 'SELECT count(*) FROM t' } }] } });
        answers.push(await node.post(database, 'v3/cursor', cursor));
        const attempts: Record<string, string>[] = [
          { 'x-turso-encryption-key': wrongKey },
          { 'x-turso-encryption-key': wrongKey.slice(0, -1) },
          { 'x-turso-encryption-key': `${wrongKey}, ${wrongKey}` },
          { 'x-turso-encryption-key': clientKey, 'x-turso-encryption-cipher': clientKey },
          { 'x-turso-encryption-key': Buffer.from(wrongKey, 'base64').toString('hex') },
          {},
        ];
        for (const headers of attempts) {
          answers.push(
            await node.post(withoutKey(database), 'v2/pipeline', JSON.stringify({ baton: null, requests }), headers),
          );
        }
        answers.push(await node.post(database, 'v3/pipeline', 'no json', { 'x-turso-encryption-key': wrongKey }));
        said.push(...answers.map((answer) => answer.text));
      }
      const refused = await node.admin('POST', '/admin/v1/databases', {
        id: randomUUID(),
        name: 'refused',
        organization: 'test',
        group: { id: 'g', name: 'g' },
        engine: 'libsql',
        encryption: { key: wrongKey, cipher: wrongKey },
      });
      said.push(await refused.text());
    };

    // Created, used, and misused.
    await use(all);
    // While a database is open its content is in the cache: the search would find it.
    expect((await filesWith(markers, node.cacheDirectory)).length).toBeGreaterThan(0);
    await assertNoKeys();
    await assertClosed();
    await assertNoKeys();

    // Engine processes die, and then the node.
    await use(all);
    // Nothing in an engine process is worth stealing; where the system lets anybody look at all. The node's own has them.
    for (const pid of engineProcesses(node)) expect(memoryHas(pid, secrets) ?? false).toBe(false);
    await use(keyed);
    expect(memoryHas(node.pid, secrets) ?? true).toBe(true);
    for (const pid of engineProcesses(node)) process.kill(pid, 'SIGKILL');
    await use(all);
    await assertNoKeys();
    await node.end('SIGKILL');
    await node.restart();
    expect(await filesWith([...secrets, ...markers], node.cacheDirectory)).toEqual([]);
    await use(all);
    const branch = await node.createDatabase('twig', 'libsql', {
      branch: { parent: (keyed[0] as TestDatabase).id },
      encryption,
    });
    await use([withKey(branch, clientKey)]);
    await assertNoKeys();

    // The key of the key service is taken away: everything of its databases goes, at once.
    await use(all);
    await setKeyState(node.keyDirectory, 'of-tenant', 'disabled');
    const ids = served.map(({ id }) => id);
    for (const untilMs = Date.now() + 30_000; ;) {
      const left = (await filesWith(markers, node.cacheDirectory)).filter((path) =>
        ids.some((id) => path.includes(id)),
      );
      if (left.length === 0) break;
      if (Date.now() > untilMs) expect(left).toEqual([]);
      await delay(50);
    }
    await assertNoKeys();
    await assertClosed();

    // A clean end leaves nothing either.
    await use(keyed);
    await node.end('SIGTERM');
    expect(await filesWith([...secrets, ...markers], node.cacheDirectory)).toEqual([]);
    expect(await filesWith([...secrets, ...markers], node.storeDirectory)).toEqual([]);
    for (const line of node.logLines) for (const secret of secrets) expect(secret.isIn(line)).toBe(false);
  } finally {
    await node.dispose();
  }
}, 300_000);

it('a canary is found in every form that it could have', () => {
  const secret = randomBytes(32);
  const canary = new Canary('secret', secret);
  for (const form of [
    secret,
    secret.toString('base64'),
    secret.toString('base64url'),
    secret.toString('hex'),
    secret.toString('hex').toUpperCase(),
    JSON.stringify({ header: secret.toString('base64') }),
    Buffer.concat([Buffer.from('a'), secret, Buffer.from('bc')]).toString('base64'),
    Buffer.concat([Buffer.from('ab'), secret, Buffer.from('c')]).toString('base64'),
  ]) {
    expect(canary.isIn(form)).toBe(true);
  }
  expect(canary.isIn(randomBytes(4096))).toBe(false);
});

/** The plaintext of a database's data key, as only a holder of the key that wraps it can have it. */
async function dataKeyOf(node: DataNode, { id }: TestDatabase, clientKey: string): Promise<Buffer> {
  const store = await LocalObjectStore.open(join(node.storeDirectory, 'data'));
  const found = await new ManifestStore(systemRuntime, store).read(id as DatabaseId);
  await store.close();
  const [key] = (found?.manifest as Manifest).keys;
  if (!key) throw new Error(`database ${id} has no data key`);
  const wrapped = Buffer.from(key.wrapped, 'base64');
  if (!isServiceWrapped(key)) return ClientKey.parse(clientKey, 'aegis256').unwrap(key.context, wrapped);
  return (await LocalKeyService.open(node.keyDirectory)).unwrap(key.keyId, wrapped, key.context);
}
