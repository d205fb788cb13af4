/**
 * The control plane is killed between any two steps of creating and deleting a database. Whatever the moment, once it
 * runs again the work is finished without anyone asking, and asking again is safe.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLocalSystemForTests, type LocalSystemForTests } from './support/local-system-for-tests.js';

const controlPlane = fileURLToPath(new URL('support/crash-once.js', import.meta.url));

describe('a control plane that is killed', () => {
  let directory: string;
  let local: LocalSystemForTests | undefined;
  let over: boolean;
  beforeEach(async () => {
    over = false;
    directory = await mkdtemp(join(tmpdir(), 'crashed-lifecycle-'));
  });
  afterEach(async () => {
    over = true;
    await local?.stop();
    local = undefined;
    await rm(directory, { recursive: true });
  });

  async function startCrashingAt(step: string): Promise<LocalSystemForTests> {
    local = await startLocalSystemForTests({
      controlPlane,
      environment: { CRASH_STEP: step, CRASH_DATABASE: 'victim', CRASH_FILE: join(directory, 'crashed') },
    });
    return local;
  }

  /** Calls until the restarted control plane answers. */
  async function eventually<T>(operation: () => Promise<T>, enough: (value: T) => boolean): Promise<T> {
    while (!over) {
      try {
        const value = await operation();
        if (enough(value)) return value;
      } catch (error) {
        // What fetch throws while nobody listens.
        if ((error as Error).name !== 'TypeError') throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error('the test is over');
  }

  it.each(['creating-row-inserted', 'created-on-data-plane', 'ready'])(
    'while it creates a database, after the step "%s", has created it',
    async (step) => {
      const { call, api, open, reported } = await startCrashingAt(step);
      await expect(api.databases.create('victim')).rejects.toThrow();
      await reported(/the control plane has ended \(signal SIGKILL\)/);
      const found = await eventually(
        async () => call('GET', '/v1/databases/victim'),
        (answer) => answer.status === 200,
      );
      expect(found.body).toMatchObject({ database: { Name: 'victim' } });
      await expect(api.databases.create('victim')).rejects.toMatchObject({ status: 409 });
      const { jwt } = await api.databases.createToken('victim');
      expect((await open('victim', jwt).execute('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      await api.databases.delete('victim');
      await api.databases.create('victim');
    },
  );

  it.each(['creating-row-inserted', 'created-on-data-plane', 'ready'])(
    'while it makes a branch and brings a deleted database back, after the step "%s", has done so',
    async (step) => {
      const { call, api, open, reported } = await startCrashingAt(step);
      await api.databases.create('parent');
      const parentToken = await api.databases.createToken('parent');
      await open('parent', parentToken.jwt).execute('CREATE TABLE t AS SELECT 7 AS n');
      await expect(api.databases.create('victim', { seed: { type: 'database', name: 'parent' } })).rejects.toThrow();
      await reported(/the control plane has ended \(signal SIGKILL\)/);
      const isThere = async (): Promise<void> => {
        await eventually(
          async () => call('GET', '/v1/databases/victim'),
          (answer) => answer.status === 200,
        );
        const { jwt } = await api.databases.createToken('victim');
        expect((await open('victim', jwt).execute('SELECT n FROM t')).rows).toEqual([{ n: 7 }]);
      };
      await isThere();
      await api.databases.delete('victim');
      await rm(join(directory, 'crashed'));
      await expect(call('POST', '/v1/deleted-databases/victim/undelete')).rejects.toThrow();
      await isThere();
      expect((await call('GET', '/v1/deleted-databases')).body).toEqual({ databases: [] });
    },
  );

  it.each(['marked-deleting', 'deleted-on-data-plane', 'row-removed'])(
    'while it deletes a database, after the step "%s", has deleted it',
    async (step) => {
      const { call, api, open, reported } = await startCrashingAt(step);
      const { id } = await api.databases.create('victim');
      const { jwt } = await api.databases.createToken('victim');
      await open('victim', jwt).execute('CREATE TABLE t (v)');
      await expect(api.databases.delete('victim')).rejects.toThrow();
      await reported(/the control plane has ended \(signal SIGKILL\)/);
      await eventually(
        async () => call('GET', '/v1/databases/victim'),
        (answer) => answer.status === 404,
      );
      const again = await eventually(
        async () => call('POST', '/v1/databases', { name: 'victim' }),
        (answer) => answer.status === 200,
      );
      expect((again.body['database'] as { DbId: string }).DbId).not.toBe(id);
      await expect(open('victim', jwt).execute('SELECT * FROM t')).rejects.toThrow();
    },
  );

  it.each(['rotation-recorded', 'rotation-published'])(
    'while it rotates the tokens of a database, after the step "%s", has ended them',
    async (step) => {
      const { call, api, open, reported } = await startCrashingAt(step);
      await api.databases.create('victim');
      const { jwt } = await api.databases.createToken('victim');
      await open('victim', jwt).execute('SELECT 1');
      await expect(api.databases.rotateTokens('victim')).rejects.toThrow();
      await reported(/the control plane has ended \(signal SIGKILL\)/);
      await eventually(
        async () =>
          open('victim', jwt)
            .execute('SELECT 1')
            .then(
              () => 'works',
              (error: unknown) => (error as { code: string }).code,
            ),
        (now) => now === 'AUTH_JWT_REVOKED',
      );
      const again = await eventually(
        async () => call('POST', '/v1/databases/victim/auth/rotate'),
        ({ status }) => status === 200,
      );
      expect(again.body).toEqual({});
      await open('victim', (await api.databases.createToken('victim')).jwt).execute('SELECT 1');
    },
  );

  it('while it renames a group, has renamed it, and doing so again changes nothing', async () => {
    const { call, api, reported } = await startCrashingAt('group-renamed');
    await api.groups.create('before', 'local');
    await api.databases.create('kept', { group: 'before' });
    await expect(call('POST', '/v1/groups/before/rename', { name: 'victim' })).rejects.toThrow();
    await reported(/the control plane has ended \(signal SIGKILL\)/);
    const renamed = await eventually(
      async () => call('GET', '/v1/groups/victim'),
      ({ status }) => status === 200,
    );
    expect(renamed.body).toMatchObject({ group: { name: 'victim' } });
    expect(await call('POST', '/v1/groups/victim/rename', { name: 'victim' })).toMatchObject({ status: 200 });
    expect((await call('GET', '/v1/databases?group=victim')).body).toMatchObject({ databases: [{ Name: 'kept' }] });
    expect(await call('GET', '/v1/catalog/drift')).toMatchObject({ status: 200, body: { drift: [] } });
  });
});
