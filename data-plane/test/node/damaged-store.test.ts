import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { everything, StoppedDeployment, type Met } from '../support/stopped-deployment.js';
import { DataNode, type TestDatabase } from '../support/data-node.js';
import { StoredFile, storedKeys } from '../support/stored-file.js';

type Meeting = Partial<Record<'folded' | 'logged' | 'bystander', Met>>;

const damages: [string, (file: StoredFile) => void][] = [
  ['is cut in half', (file) => file.write(file.original.subarray(0, file.bodyStart + (file.body.length >> 1)))],
  ['has a flipped bit', (file) => file.flipBit(file.bodyStart + (file.body.length >> 1))],
  ['lies in a file with a damaged header', (file) => file.flipBit(1)],
];

/** The same answer for every database. */
const all = (met: Met): Meeting => ({ folded: met, logged: met, bystander: met });

let deployment: StoppedDeployment;

const fileOf = async (store: 'data' | 'control', key: RegExp): Promise<StoredFile> => deployment.file(store, key);

/** A log object with a fragment of the database `logged`, and others before and behind it. */
async function logObject(): Promise<StoredFile> {
  const [, file] = await deployment.logObjects(deployment.logged);
  if (!file) throw new Error('the database has several fragments');
  return file;
}

/** Damages an object, starts the node, and meets `expected`; puts the object back, and everything is there again. */
async function expectMeeting(file: StoredFile, damage: (file: StoredFile) => void, expected: Meeting): Promise<void> {
  const { node } = deployment;
  damage(file);
  await node.restart();
  const startedAs = node.pid;
  expect(await deployment.meet()).toEqual({ ...everything, ...expected });
  const created = await node.createDatabase('created-now');
  if (!file.key.startsWith('verification-keys')) {
    expect(await node.run(created, 'CREATE TABLE t (a)', 'INSERT INTO t VALUES (1)', 'SELECT a FROM t')).toEqual([
      ['1'],
    ]);
  }
  file.putBack();
  // The key set is read again after a second at the earliest.
  for (let tries = 0; tries < 50 && JSON.stringify(await deployment.meet()) !== JSON.stringify(everything); tries++) {
    await delay(100);
  }
  expect(await deployment.meet()).toEqual(everything);
  expect(node.pid).toBe(startedAs);
}

function expectLogNames(key: string): void {
  expect(deployment.node.logLines.filter((line) => line.includes(`object ${key}`))).not.toEqual([]);
}

describe('a damaged object in the store', () => {
  beforeAll(async () => {
    deployment = await StoppedDeployment.make('killed');
  });
  beforeEach(async () => deployment.reset());
  afterAll(async () => deployment.dispose());

  describe.each(damages)('%s', (_what, damage) => {
    it('manifest: its database is refused', async () => {
      const file = await fileOf('data', new RegExp(`^manifests/.*${deployment.folded.id}`));
      await expectMeeting(file, damage, { folded: 'STORE_OBJECT_CORRUPT' });
      expectLogNames(file.key);
    });

    it('name record: its database is refused', async () => {
      const file = await fileOf('data', /^names\/.*logged$/);
      await expectMeeting(file, damage, { logged: 'STORE_OBJECT_CORRUPT' });
      expectLogNames(file.key);
    });

    it('generation: its database is refused', async () => {
      await expectMeeting(await fileOf('data', /\/generation$/), damage, { folded: 'STORE_OBJECT_CORRUPT' });
    });

    it('segments: their database is refused', async () => {
      await expectMeeting(await fileOf('data', /\/segments-/), damage, { folded: 'STORE_OBJECT_CORRUPT' });
    });

    it('archive: opening does not read it', async () => {
      await expectMeeting(await fileOf('data', /\/archive$/), damage, {});
    });

    it('verification keys: nobody is let in', async () => {
      await expectMeeting(await fileOf('control', /^verification-keys/), damage, all('STORE_OBJECT_CORRUPT'));
    });

    it('deployment record: the node does not start', async () => {
      const file = await fileOf('data', /^deployment$/);
      damage(file);
      await expect(deployment.node.restart()).rejects.toThrow('STORE_OBJECT_CORRUPT');
      file.putBack();
      await deployment.node.restart();
      expect(await deployment.meet()).toEqual(everything);
    });
  });

  it.each<[string, RegExp, Meeting]>([
    ['generation', /\/generation$/, { folded: 'STORE_OBJECT_MISSING' }],
    ['bundle of segments', /\/segments-/, { folded: 'STORE_OBJECT_MISSING' }],
    ['archive', /\/archive$/, {}],
    // Without it a name means nothing; whose it was is answered as for any unknown name.
    ['name record', /^names\/.*logged$/, { logged: 'AUTH_FORBIDDEN' }],
  ])('the %s is missing', async (_what, key, expected) => {
    await expectMeeting(await fileOf('data', key), (file) => file.remove(), expected);
  });

  it('the manifest is missing: neither a database that nobody knows, nor created again, empty', async () => {
    const { node, folded } = deployment;
    const manifest = new RegExp(`^manifests/.*${folded.id}`);
    const again = async (): Promise<{ status: number; code: string | undefined }> => {
      const group = { id: '00000000-0000-4000-8000-000000000001', name: 'default' };
      const body = { id: folded.id, name: folded.name, organization: 'test', group, engine: 'libsql' };
      const answer = await node.admin('POST', '/admin/v1/databases', body);
      return { status: answer.status, code: ((await answer.json()) as { code?: string }).code };
    };
    const file = await fileOf('data', manifest);
    await expectMeeting(file, () => file.remove(), { folded: 'STORE_OBJECT_MISSING' });
    expectLogNames(file.key);
    const present = await fileOf('data', manifest);
    present.remove();
    expect(await again()).toEqual({ status: 500, code: 'STORE_OBJECT_MISSING' });
    present.putBack();
    expect(await again()).toEqual({ status: 200, code: undefined });
    expect(await deployment.meet()).toEqual(everything);
  });

  it('the verification keys are missing: nobody is let in', async () => {
    const file = await fileOf('control', /^verification-keys/);
    await expectMeeting(file, () => file.remove(), all('AUTH_JWT_INVALID'));
  });
});

describe.each(['stopped', 'killed'] as const)('a damaged object of an epoch whose node was %s', (how) => {
  /** A node that stopped recovered its own epoch; nobody looks at its node record or at an index any more. */
  const untilRecovered = how === 'stopped' ? {} : all('EPOCH_NOT_RECOVERED');

  beforeAll(async () => {
    deployment = await StoppedDeployment.make(how);
  });
  beforeEach(async () => deployment.reset());
  afterAll(async () => deployment.dispose());

  it.each([...damages, ['is missing', (file: StoredFile) => file.remove()] as const])(
    'node record %s',
    async (_what, damage) => {
      await expectMeeting(await fileOf('data', /^nodes\//), damage, untilRecovered);
    },
  );

  it('a fragment in the log: its database is refused', async () => {
    const file = await logObject();
    await expectMeeting(file, () => file.flipBit(file.original.length - 1), { logged: 'STORE_OBJECT_CORRUPT' });
    expectLogNames(file.key);
  });

  it('the index of a log object', async () => {
    const file = await logObject();
    await expectMeeting(file, () => file.flipBit(file.bodyStart + 20), untilRecovered);
  });

  it('a log object that has become shorter', async () => {
    const file = await logObject();
    const expected = { logged: 'STORE_OBJECT_CORRUPT' };
    await expectMeeting(file, () => file.writeBody(file.body.subarray(0, file.body.length - 100)), expected);
  });

  it('a log object that is missing, in the middle', async () => {
    const file = await logObject();
    const expected = how === 'stopped' ? { logged: 'STORE_OBJECT_MISSING' } : all('EPOCH_NOT_RECOVERED');
    await expectMeeting(file, () => file.remove(), expected);
  });

  if (how === 'stopped') {
    it.each(damages)('recovery record %s: what was handed over does not need it', async (_what, damage) => {
      await expectMeeting(await fileOf('data', /^recoveries\//), damage, {});
    });

    it('the recovery record is missing: it is made again from the log', async () => {
      await expectMeeting(await fileOf('data', /^recoveries\//), (file) => file.remove(), {});
    });
  } else {
    it('the very last log object is missing: nothing tells that it was there', async () => {
      const last = (await deployment.logObjects(deployment.bystander)).at(-1);
      last?.remove();
      await deployment.node.restart();
      expect(await deployment.meet()).toEqual({ ...everything, bystander: '6 rows of bystander' });
    });
  }
});

describe('a database of more than one segment list', () => {
  let node: DataNode;
  let database: TestDatabase;
  let rows = 0;

  beforeAll(async () => {
    node = await DataNode.start({ TURSO_BYOC_STATEMENT_DEADLINE_MS: '60000' });
    database = await node.createDatabase('large');
    await node.run(database, 'CREATE TABLE t (a)');
    while ((await lists()).length < 2) {
      await node.run(database, 'INSERT INTO t VALUES (randomblob(1000000))');
      rows += 1;
    }
    await node.end();
  });
  afterAll(async () => node.dispose());

  const lists = async (): Promise<string[]> =>
    (await storedKeys(join(node.directory, 'store', 'data'), 'objects/')).filter((key) => /\/list-/.test(key));

  it.each<[string, (file: StoredFile) => void, string]>([
    ...damages.map(([what, damage]): [string, (file: StoredFile) => void, string] => [
      what,
      damage,
      'STORE_OBJECT_CORRUPT',
    ]),
    ['is missing', (file) => file.remove(), 'STORE_OBJECT_MISSING'],
  ])('a list %s', async (_what, damage, code) => {
    const file = new StoredFile(join(node.directory, 'store', 'data'), (await lists()).at(-1) ?? '');
    damage(file);
    await node.restart();
    await expect(node.run(database, 'SELECT count(*) FROM t')).rejects.toThrow(code);
    file.putBack();
    const found = await node.run(database, 'SELECT count(*), sum(length(a)) FROM t');
    expect(found).toEqual([[String(rows), String(rows * 1_000_000)]]);
    await node.end();
  });
});
