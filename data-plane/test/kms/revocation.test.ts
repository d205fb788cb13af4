/** A running node on emulators of KMS: a key is disabled, scheduled for deletion, and the service is gone for a while. */
import { setTimeout as delay } from 'node:timers/promises';
import { DataNode, StatementError, type TestDatabase } from '../support/data-node.js';
import { describeWithKms } from './describe-with-kms.js';
import { localKms } from './kms-server.js';

describeWithKms(localKms, 'a data node whose keys in KMS are taken away', (server) => {
  let node: DataNode;
  let key: string;
  let subject: TestDatabase;
  let bystander: TestDatabase;
  beforeAll(async () => {
    const standard = await server().newKey();
    key = await server().newKey();
    node = await DataNode.start({
      ...server().environment,
      TURSO_BYOC_KEY_SERVICE: `kms:${standard}`,
      TURSO_BYOC_KEY_PROBE_MS: '500',
      TURSO_BYOC_KEY_GRACE_MS: '600000',
    });
    subject = await node.createDatabase('subject', 'libsql', { keyId: key });
    bystander = await node.createDatabase('bystander');
    for (const database of [subject, bystander]) await node.run(database, 'CREATE TABLE t (n)');
  });
  afterAll(async () => node.dispose());

  const met = async (database: TestDatabase): Promise<string> =>
    node.run(database, 'SELECT count(*) FROM t').then(
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

  it.each(['disabled', 'pending-deletion'] as const)('%s: ends what is open, and gives it back', async (state) => {
    await meets(subject, '0');
    await server().setState(key, state);
    await meets(subject, 'KEY_REVOKED');
    expect(await met(bystander)).toBe('0');
    await server().setState(key, 'enabled');
    await meets(subject, '0');
  });

  it('goes on without KMS', async () => {
    await meets(subject, '0');
    await server().halt();
    const unavailable = async (): Promise<number> => node.counted('key_requests_total', 'unavailable', 'probe');
    for (const untilMs = Date.now() + 60_000; (await unavailable()) === 0;) {
      if (Date.now() > untilMs) throw new Error('no probe was without an answer');
      await delay(50);
    }
    expect([await met(subject), await met(bystander)]).toEqual(['0', '0']);
    await node.run(bystander, 'CREATE TABLE also (n)');
    await server().resume();
    await meets(subject, '0');
    expect(await node.counted('databases_closed_for_key_total', 'unavailable')).toBe(0);
  });
});
