import { join } from 'node:path';
import { createKey, setKeyState } from '../../src/keys/local-key-service.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { StoredFile, storedKeys } from '../support/stored-file.js';

describe('a database with a key of its own', () => {
  let node: DataNode;
  beforeAll(async () => {
    node = await DataNode.start();
    await createKey(node.keyDirectory, 'tenant-a', Date.now());
  });
  afterAll(async () => node.dispose());

  const described = async ({ id }: TestDatabase): Promise<any> =>
    ((await (await node.admin('GET', `/admin/v1/databases/${id}`)).json()) as any).database;
  const refused = async (more: Record<string, unknown>): Promise<unknown> =>
    node.createDatabase('refused', 'libsql', more).catch((error: unknown) => String(error));

  it('is wrapped by it, says so, and so is a branch of it', async () => {
    const database = await node.createDatabase('a', 'libsql', { keyId: 'tenant-a' });
    await node.run(database, 'CREATE TABLE t (n)', 'INSERT INTO t VALUES (1)');
    const branch = await node.createDatabase('branch', 'libsql', { branch: { parent: database.id } });
    const other = await node.createDatabase('other', 'libsql', {
      keyId: 'default',
      branch: { parent: database.id },
    });
    const shared = await node.createDatabase('shared');
    expect(await described(database)).toMatchObject({ keyId: 'tenant-a' });
    expect(await described(branch)).toMatchObject({ keyId: 'tenant-a' });
    expect(await described(other)).toMatchObject({ keyId: 'default' });
    expect(await described(shared)).toMatchObject({ keyId: 'default' });

    const data = join(node.storeDirectory, 'data');
    const manifests = (await storedKeys(data, 'manifests/')).filter((key) => key.includes(database.id));
    expect(new StoredFile(data, manifests[0] as string).body.toString('latin1')).toContain('"keyId":"tenant-a"');

    await node.end('SIGTERM');
    await setKeyState(node.keyDirectory, 'tenant-a', 'disabled');
    await node.restart();
    for (const locked of [database, branch, other]) {
      // The branch under the other key still needs its parent's to read what it shares.
      await expect(node.run(node.here(locked), 'SELECT * FROM t')).rejects.toThrow(/^KEY_REVOKED: 403/);
    }
    expect(await node.run(node.here(shared), 'SELECT 1')).toEqual([['1']]);
    await setKeyState(node.keyDirectory, 'tenant-a', 'enabled');
  });

  it('is not made under a key that cannot be, is not there, or is disabled; its name stays free', async () => {
    expect(await refused({ keyId: '../default' })).toMatch(/ 400 .*KEY_ID_INVALID/);
    expect(await refused({ keyId: 'nobody-made-it' })).toMatch(/ 403 .*KEY_REVOKED/);
    await setKeyState(node.keyDirectory, 'tenant-a', 'disabled');
    expect(await refused({ keyId: 'tenant-a' })).toMatch(/ 403 .*KEY_REVOKED/);
    await setKeyState(node.keyDirectory, 'tenant-a', 'enabled');
    expect(await refused({ keyId: 'tenant-a' })).toMatchObject({ name: 'refused' });
  });
});
