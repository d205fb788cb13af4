import { recovered } from '../../test/storage/recovered.js';
import { databaseA, epochA, epochB, epochC } from '../../test/storage/sample-database.js';
import { createManifest, sampleManifest } from '../../test/storage/sample-manifest.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import type { NodeEpoch } from '../identity.js';
import { OutcomeUnknownError, type ObjectStore } from '../object-store/object-store.js';
import { systemRuntime } from '../runtime.js';
import type { FragmentLocation } from '../storage/log-location.js';
import type { Manifest } from '../storage/manifest.js';
import { ManifestStore, type VersionedManifest } from '../storage/manifest-store.js';
import { claim, type FindRecovery } from './claim.js';
import type { RecoveryRecord } from './recovery-record.js';

const moved = expect.objectContaining({ code: 'DATABASE_MOVED' });
const at = (position: number, commit: number): FragmentLocation => [position, 0, 10, commit, commit];
const epochD = 'd'.repeat(32) as NodeEpoch;

let store: ObjectStore;
let manifests: ManifestStore;
beforeEach(async () => {
  store = await temporaryStore();
  manifests = new ManifestStore(systemRuntime, store);
});
afterEach(removeTemporaryDirectories);

function create(changes: Partial<Manifest>): Promise<VersionedManifest> {
  return createManifest(manifests, sampleManifest(changes));
}

async function createUnowned(changes: Partial<Manifest> = {}): Promise<VersionedManifest> {
  const { owner: _owner, ...manifest } = sampleManifest(changes);
  return createManifest(manifests, manifest);
}

function recoveries(...records: RecoveryRecord[]): FindRecovery {
  return async (epoch) => records.find((record) => record.epoch === epoch);
}

function ended(epoch: NodeEpoch, term: number, ...fragments: FragmentLocation[]): RecoveryRecord {
  return { epoch, sealedAt: 99, databases: recovered({ [databaseA]: [{ term, fragments }] }) };
}

const none = recoveries();

/** A store in which writes can be held up: they are given up as unknown, and done when they are let go. */
class HoldingUp {
  isOn = false;
  #held: (() => Promise<unknown>)[] = [];

  constructor(readonly real: ObjectStore) {}

  get store(): ObjectStore {
    return new Proxy(this.real, {
      get: (real, name) => {
        if (name === 'put' && this.isOn) {
          return async (...call: Parameters<ObjectStore['put']>) => {
            this.#held.push(async () => real.put(...call));
            throw new OutcomeUnknownError('no answer came');
          };
        }
        const value: unknown = Reflect.get(real, name);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(real) : value;
      },
    });
  }

  async letGo(): Promise<void> {
    for (const write of this.#held.splice(0)) await write();
  }
}

describe('claim', () => {
  it('takes a database that nobody owns', async () => {
    const found = await createUnowned({ term: 4 });
    const claimed = await claim(manifests, none, epochB, found);
    expect(claimed.manifest).toMatchObject({ owner: epochB, term: 5, version: 2, tail: [] });
    expect(await manifests.read(databaseA)).toEqual(claimed);
  });

  it('changes nothing when this epoch owns the database already', async () => {
    const found = await create({ owner: epochB });
    expect(await claim(manifests, none, epochB, found)).toBe(found);
  });

  it('leaves a database to an owner that is not known to have ended', async () => {
    const found = await create({ owner: epochA });
    await expect(claim(manifests, none, epochB, found)).rejects.toEqual(moved);
    await expect(claim(manifests, recoveries(ended(epochC, 1, at(0, 1))), epochB, found)).rejects.toEqual(moved);
    expect(await manifests.read(databaseA)).toEqual(found);
  });

  it('does not go on when it is unknown whether the owner has ended', async () => {
    const found = await create({ owner: epochA });
    const failing: FindRecovery = async () => Promise.reject(new Error('unknown'));
    await expect(claim(manifests, failing, epochB, found)).rejects.toThrow('unknown');
    expect(await manifests.read(databaseA)).toEqual(found);
  });

  it('appends what the ended owner logged under the term, without what is folded in', async () => {
    const generation = { term: 1, number: 1, digest: '0'.repeat(64), commit: 2, commitTimeMs: 2 };
    const found = await create({ owner: epochA, term: 7, generation });
    const record: RecoveryRecord = {
      epoch: epochA,
      sealedAt: 9,
      databases: recovered({
        [databaseA]: [
          { term: 6, fragments: [at(0, 1)] },
          { term: 7, fragments: [at(1, 2), at(2, 3), at(4, 4)] },
        ],
      }),
    };
    const { manifest } = await claim(manifests, recoveries(record), epochB, found);
    expect(manifest.tail).toEqual([{ epoch: epochA, term: 7, fragments: [at(2, 3), at(4, 4)] }]);
    expect(manifest).toMatchObject({ term: 8, owner: epochB, generation });
  });

  it('keeps the tails of several dead owners in order, with no fold between', async () => {
    let current = await create({ owner: epochA, term: 1 });
    const records = recoveries(ended(epochA, 1, at(0, 1), at(1, 2)), ended(epochB, 2), ended(epochC, 3, at(0, 3)));
    for (const epoch of [epochB, epochC, epochD]) current = await claim(manifests, records, epoch, current);
    expect(current.manifest.tail).toEqual([
      { epoch: epochA, term: 1, fragments: [at(0, 1), at(1, 2)] },
      { epoch: epochC, term: 3, fragments: [at(0, 3)] },
    ]);
    expect(current.manifest).toMatchObject({ term: 4, version: 4, owner: epochD });
  });

  it('goes on from what stands there when the manifest it was given is old', async () => {
    const old = await create({ owner: epochA, term: 1 });
    const generation = { term: 1, number: 1, digest: '0'.repeat(64), commit: 2, commitTimeMs: 2 };
    await manifests.replace(old, { ...old.manifest, generation });
    const records = recoveries(ended(epochA, 1, at(0, 1), at(1, 2), at(2, 3)));
    const { manifest } = await claim(manifests, records, epochB, old);
    expect(manifest.tail).toEqual([{ epoch: epochA, term: 1, fragments: [at(2, 3)] }]);
    expect(manifest).toMatchObject({ version: 3, term: 2, generation });
  });

  it('lets one of two epochs win', async () => {
    const found = await createUnowned();
    const results = await Promise.allSettled([epochB, epochC].map((epoch) => claim(manifests, none, epoch, found)));
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = results.find((result) => result.status === 'fulfilled')?.value;
    const loser = results.find((result) => result.status === 'rejected');
    expect(loser?.reason).toEqual(moved);
    expect(await manifests.read(databaseA)).toEqual(winner);
    expect(winner?.manifest.term).toBe(2);
  });

  it('recognizes its own claim when the answer was lost', async () => {
    let puts = 0;
    const losing: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      get: async (key: string) => store.get(key),
      put: async (...[key, body, condition]: Parameters<ObjectStore['put']>) => {
        puts += 1;
        await store.put(key, body, condition);
        throw new OutcomeUnknownError('the answer was lost');
      },
    });
    const found = await createUnowned();
    const claimed = await claim(new ManifestStore(systemRuntime, losing), none, epochB, found);
    expect(claimed.manifest).toMatchObject({ owner: epochB, term: 2, version: 2 });
    expect(await manifests.read(databaseA)).toEqual(claimed);
    expect(puts).toBe(1);
  });

  it('of what is owned already leaves nothing to a release that was given up and comes late', async () => {
    const holdingUp = new HoldingUp(store);
    const ours = new ManifestStore(systemRuntime, holdingUp.store);
    const owned = await claim(ours, none, epochA, await createUnowned());
    const { owner: _owner, ...released } = owned.manifest;
    holdingUp.isOn = true;
    await expect(ours.replace(owned, released)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    holdingUp.isOn = false;

    const again = await claim(ours, none, epochA, (await ours.read(databaseA))!);
    expect(again.manifest).toMatchObject({ owner: epochA, term: owned.manifest.term });
    await holdingUp.letGo();
    expect(await manifests.read(databaseA)).toEqual(again);
    // It is settled: the next one finds nothing to write.
    expect(await claim(ours, none, epochA, again)).toEqual(again);
  });

  it('of what is owned already writes nothing where every change was answered', async () => {
    const owned = await claim(manifests, none, epochA, await createUnowned());
    const again = await claim(manifests, none, epochA, (await manifests.read(databaseA))!);
    expect(again).toEqual(owned);
  });

  it('finds out that the release came before', async () => {
    const holdingUp = new HoldingUp(store);
    const ours = new ManifestStore(systemRuntime, holdingUp.store);
    const owned = await claim(ours, none, epochA, await createUnowned());
    const { owner: _owner, ...released } = owned.manifest;
    const found = (await ours.read(databaseA))!;
    holdingUp.isOn = true;
    await expect(ours.replace(owned, released)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    holdingUp.isOn = false;
    await holdingUp.letGo();
    const again = await claim(ours, none, epochA, found);
    expect(again.manifest).toMatchObject({ owner: epochA, term: owned.manifest.term + 1 });
  });
});
