import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createKey, setKeyState } from '../../src/keys/local-key-service.js';
import { everything, StoppedDeployment } from '../support/stopped-deployment.js';

const all = (met: string): typeof everything => ({ folded: met, logged: met, bystander: met });

describe('the key service', () => {
  let deployment: StoppedDeployment;
  let keys: string;
  let keyFile: string;
  let original: Buffer;

  beforeAll(async () => {
    deployment = await StoppedDeployment.make('stopped');
    keys = join(deployment.node.directory, 'keys');
    keyFile = join(keys, 'default.key');
    original = await readFile(keyFile);
  });

  beforeEach(async () => {
    await deployment.reset();
    await writeFile(keyFile, original, { mode: 0o600 });
  });

  afterAll(async () => deployment.dispose());

  const create = async (): Promise<[number, unknown]> => {
    const group = { id: '00000000-0000-4000-8000-000000000001', name: 'default' };
    const body = {
      id: '5d5d3fd5-9f3d-4b5b-8d2b-6d0f1d6a1c11',
      name: 'new',
      organization: 'test',
      group,
      engine: 'libsql',
    };
    const answer = await deployment.node.admin('POST', '/admin/v1/databases', body);
    return [answer.status, ((await answer.json()) as { code?: string }).code];
  };

  it.each(['disabled', 'pending-deletion'] as const)(
    'a key that is %s refuses what is not open, until it is enabled',
    async (state) => {
      const { node, logged } = deployment;
      await node.restart();
      expect(await node.run(logged, 'SELECT count(*) FROM t')).toEqual([['7']]);
      await setKeyState(keys, 'default', state);
      // An open database has its data key; it goes on until it is closed.
      expect(await deployment.meet()).toEqual({
        folded: 'KEY_REVOKED',
        logged: everything.logged,
        bystander: 'KEY_REVOKED',
      });
      await node.run(logged, 'INSERT INTO t VALUES (7)');
      expect(await create()).toEqual([403, 'KEY_REVOKED']);

      await node.end();
      await node.restart();
      expect(await deployment.meet()).toEqual(all('KEY_REVOKED'));
      await setKeyState(keys, 'default', 'enabled');
      // A key that was refused is asked for once a second.
      await delay(1_100);
      expect(await deployment.meet()).toEqual({ ...everything, logged: '8 rows of logged' });
      expect((await create())[0]).toBe(200);
    },
  );

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['cut off', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['empty', () => Buffer.alloc(0)],
    ['altered in its material', (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])])],
  ])('a key file that is %s: nothing opens, and a node does not start', async (_how, damage) => {
    const { node } = deployment;
    await node.restart();
    await writeFile(keyFile, damage(original));
    expect(await deployment.meet()).toEqual(all('KEY_UNAVAILABLE'));
    await node.end();
    await expect(node.restart()).rejects.toThrow(/key default/);
    await writeFile(keyFile, original);
    await node.restart();
    expect(await deployment.meet()).toEqual(everything);
  });

  it('another key in the place of the right one opens nothing', async () => {
    const { node } = deployment;
    await rename(keyFile, `${keyFile}.aside`);
    await createKey(keys, 'default', Date.now());
    await node.restart();
    expect(await deployment.meet()).toEqual(all('KEY_WRONG'));
    await rename(`${keyFile}.aside`, keyFile);
    expect(await deployment.meet()).toEqual(everything);
  });
});
