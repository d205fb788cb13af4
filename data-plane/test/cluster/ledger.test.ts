import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client';
import { Ledger, type LedgerFailure } from './ledger.js';

let directory: string;
let client: Client;
let ledger: Ledger;
let failures: LedgerFailure[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ledger-'));
  client = createClient({ url: `file:${directory}/ledger.db` });
  failures = [];
  ledger = new Ledger({ id: 'id', name: 'name', url: '', token: '' }, (failure) => failures.push(failure));
  await ledger.create(client);
  await ledger.write(client, 'one row', 1);
  await ledger.write(client, 'several rows', 3);
  await ledger.write(client, 'interactive', 2);
});
afterEach(async () => {
  client.close();
  await rm(directory, { recursive: true, force: true });
});

const kinds = (): string[] => [...new Set(failures.map(({ kind }) => kind))].sort();

/** The client, but that every batch ends like this, before or after it was carried out. */
function batchesEnd(code: string, { carriedOut }: { carriedOut: boolean }): Client {
  const batch: Client['batch'] = async (...call) => {
    if (carriedOut) await client.batch(...call);
    throw Object.assign(new Error('no'), { code });
  };
  return new Proxy(client, {
    get: (target, property): unknown => (property === 'batch' ? batch : Reflect.get(target, property)),
  });
}

describe('the ledger of a database under test', () => {
  it('finds nothing wrong with what a sound database shows', async () => {
    await expect(
      ledger.write(batchesEnd('OUTCOME_UNKNOWN', { carriedOut: true }), 'several rows', 2),
    ).rejects.toThrow();
    await expect(
      ledger.write(batchesEnd('OUTCOME_UNKNOWN', { carriedOut: false }), 'several rows', 2),
    ).rejects.toThrow();
    await expect(
      ledger.write(batchesEnd('DATABASE_MOVED', { carriedOut: false }), 'several rows', 2),
    ).rejects.toThrow();
    await ledger.write(client, 'one row', 1);
    await ledger.read(client);
    await ledger.check(client, { thoroughly: true });
    expect(failures).toEqual([]);
    expect([ledger.acknowledged.size, ledger.unknown.size, ledger.refused.size]).toEqual([4, 2, 1]);
  });

  it('finds an acknowledged transaction that is missing', async () => {
    await client.execute('DELETE FROM entries WHERE n = 1');
    await ledger.check(client);
    expect(kinds()).toEqual(['lost', 'stale']);
  });

  it('finds a read that does not show what was acknowledged before', async () => {
    await client.batch(['DELETE FROM entries WHERE n = 3', 'UPDATE accounts SET balance = balance - 3 * (2 * id - 3)']);
    await ledger.read(client);
    expect(kinds()).toEqual(['stale']);
  });

  it('finds a read that does not show what another read has shown', async () => {
    await expect(
      ledger.write(batchesEnd('OUTCOME_UNKNOWN', { carriedOut: true }), 'several rows', 2),
    ).rejects.toThrow();
    await ledger.read(client);
    await client.batch(['DELETE FROM entries WHERE n = 4', 'UPDATE accounts SET balance = balance - 4 * (2 * id - 3)']);
    await ledger.read(client);
    expect(kinds()).toEqual(['stale']);
  });

  it.each([
    ['a part of the rows', 'DELETE FROM entries WHERE n = 2 AND part = 1'],
    ['one account without the other', 'UPDATE accounts SET balance = balance + 1 WHERE id = 1'],
    ['rows without the accounts', 'UPDATE accounts SET balance = balance - 3 * (2 * id - 3)'],
  ])('finds a half transaction: %s', async (_what, damage) => {
    await client.execute(damage);
    await ledger.read(client);
    expect(kinds()).toEqual(['torn']);
  });

  it('finds a transaction that was refused and took effect', async () => {
    await expect(ledger.write(batchesEnd('DATABASE_MOVED', { carriedOut: true }), 'several rows', 2)).rejects.toThrow();
    await ledger.check(client);
    expect(kinds()).toEqual(['refused but there']);
  });

  it('finds a transaction that nobody has sent', async () => {
    await client.execute('INSERT INTO entries VALUES (99, 0, 1)');
    await ledger.check(client);
    expect(kinds()).toEqual(['never sent']);
  });
});
