/**
 * Objects that are whole but in a wrong place or out of an earlier time. What lies in a wrong place is always found out.
 * An old manifest of the same database, put back together with the log it names, is not: nothing else in the store says
 * that there was a newer one. Versions of the bucket and its access policy guard against that.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeEpoch, type DatabaseId } from '../../src/identity.js';
import { LocalObjectStore } from '../../src/object-store/local-object-store.js';
import { readRecoveryRecord, recoveredFragments, type RecoveryRecord } from '../../src/ownership/recovery-record.js';
import { systemRuntime } from '../../src/runtime.js';
import { generationName } from '../../src/storage/object-names.js';
import { everything, StoppedDeployment } from '../support/stopped-deployment.js';
import { StoreSurgery } from '../support/store-surgery.js';
import { StoredFile } from '../support/stored-file.js';

let deployment: StoppedDeployment;

beforeAll(async () => {
  deployment = await StoppedDeployment.make('stopped');
});
beforeEach(async () => deployment.reset());
afterAll(async () => deployment.dispose());

const manifestOf = async (database: { id: string }): Promise<StoredFile> =>
  deployment.file('data', new RegExp(`^manifests/.*${database.id}`));

/** Exchanges the contents of two objects, each in the file of the other. */
function exchange(one: StoredFile, other: StoredFile): void {
  one.writeBody(other.body);
  other.writeBody(one.body);
}

it('manifests of two databases, exchanged', async () => {
  exchange(await manifestOf(deployment.logged), await manifestOf(deployment.bystander));
  await deployment.node.restart();
  const refused = 'STORE_OBJECT_CORRUPT';
  expect(await deployment.meet()).toEqual({ ...everything, logged: refused, bystander: refused });
});

it("another database's manifest, under the own identity: its key does not open", async () => {
  const [own, foreign] = [await manifestOf(deployment.logged), await manifestOf(deployment.bystander)];
  const { id, name } = deployment.logged;
  const forged = JSON.parse(contentOf(foreign)) as Record<string, unknown>;
  own.writeBody(storedJson('turso-byoc/manifest/1', { ...forged, id, name }));
  await deployment.node.restart();
  expect(await deployment.meet()).toEqual({ ...everything, logged: 'KEY_WRONG' });
});

it("another database's log, named by the own manifest", async () => {
  const [own, foreign] = [await manifestOf(deployment.logged), await manifestOf(deployment.bystander)];
  const manifest = JSON.parse(contentOf(own)) as Record<string, unknown>;
  const { owner: _owner, ...unowned } = manifest;
  const store = await LocalObjectStore.open(`${deployment.node.storeDirectory}/data`);
  const [recovery] = (await store.list('recoveries/')).keys;
  const epoch = nodeEpoch((recovery as string).slice('recoveries/'.length));
  const record = (await readRecoveryRecord(systemRuntime, store, epoch)) as RecoveryRecord;
  const { term } = JSON.parse(contentOf(foreign)) as { term: number };
  const fragments = recoveredFragments(record, deployment.bystander.id as DatabaseId, term);
  const tail = fragments.length === 0 ? [] : [{ epoch, term, fragments }];
  expect(tail).not.toEqual([]);
  own.writeBody(storedJson('turso-byoc/manifest/1', { ...unowned, tail }));
  await deployment.node.restart();
  expect(await deployment.meet()).toEqual({ ...everything, logged: 'STORE_OBJECT_CORRUPT' });
  expect(contentOf(foreign)).toContain(deployment.bystander.id);
});

it('name records of two databases, exchanged', async () => {
  exchange(await deployment.file('data', /^names\/.*logged$/), await deployment.file('data', /^names\/.*bystander$/));
  await deployment.node.restart();
  const refused = 'STORE_OBJECT_CORRUPT';
  expect(await deployment.meet()).toEqual({ ...everything, logged: refused, bystander: refused });
});

it("fragments of one log object in the place of another's", async () => {
  const [, second, third] = await deployment.logObjects(deployment.logged);
  if (!second || !third) throw new Error('the database has several fragments');
  exchange(second, third);
  await deployment.node.restart();
  expect(await deployment.meet()).toEqual({ ...everything, logged: 'STORE_OBJECT_CORRUPT' });
});

it("another generation's objects in the place of the present one's", async () => {
  const { node, folded } = deployment;
  await node.restart();
  const surgery = await StoreSurgery.of(node);
  const named = async (): Promise<StoredFile> => {
    const { generation } = await surgery.manifestOf(folded);
    if (!generation) throw new Error('the database was folded');
    const key = generationName(folded.id as DatabaseId, generation.term, generation.number);
    return new StoredFile(deployment.storeDirectory('data'), key);
  };
  const before = await named();
  await node.run(folded, 'INSERT INTO filler VALUES (randomblob(2000000))');
  while ((await named()).key === before.key) await delay(20);
  await node.end();
  const present = await named();
  present.writeBody(before.body);
  await node.restart();
  expect((await deployment.meet()).folded).toBe('STORE_OBJECT_CORRUPT');
  present.putBack();
  expect(await deployment.meet()).toEqual(everything);
});

it('an old manifest of the same database is believed: it shows an old state, whole, and nothing else changes', async () => {
  const { node, logged } = deployment;
  const old = await manifestOf(logged);
  await node.restart();
  await node.run(logged, "INSERT INTO t VALUES ('newer')");
  await node.end();
  const present = await manifestOf(logged);
  present.writeBody(old.body);
  await node.restart();
  // Its owner is the epoch before the last; the last one wrote under a term that this manifest does not know.
  expect(await deployment.meet()).toEqual(everything);
  await node.end();
});

it('a log whose end is missing after a clean stop is found out', async () => {
  const file = (await deployment.logObjects(deployment.bystander)).at(-1);
  file?.remove();
  await deployment.node.restart();
  expect(await deployment.meet()).toEqual({ ...everything, bystander: 'STORE_OBJECT_MISSING' });
});

/** The JSON of a stored object, without its header line. */
function contentOf(file: StoredFile): string {
  return file.body.subarray(file.body.indexOf(0x0a) + 1).toString();
}

/** The bytes of a stored object with this JSON: whoever can write the store can make the digest right, too. */
function storedJson(format: string, value: unknown): Buffer {
  const body = JSON.stringify(value);
  return Buffer.from(`${format} ${createHash('sha256').update(body).digest('hex')}\n${body}`);
}
