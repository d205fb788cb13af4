import { alteredStore } from '../../test/altered-store.js';
import { epochA, epochB, epochC } from '../../test/storage/sample-database.js';
import { removeTemporaryDirectories, temporaryStore } from '../../test/temporary-store.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import type { LocalObjectStore } from '../object-store/local-object-store.js';
import { StoreUnavailableError, type ObjectStore } from '../object-store/object-store.js';
import type { NodeEpoch } from '../identity.js';
import { systemRuntime } from '../runtime.js';
import { beginFormatLevel, readFormatLevel, replaceFormatLevel } from '../storage/format-level-record.js';
import { memberPrefix, nodeRecordName } from '../storage/object-names.js';
import { addMember } from './members.js';
import {
  changedNodeRecord,
  createNodeRecord,
  encodeNodeRecord,
  readNodeRecord,
  replaceNodeRecord,
  type NodeRecord,
} from './node-record.js';
import { nodesNotEnded, raiseFormatLevel } from './raise-format-level.js';

const refused = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'FORMAT_LEVEL_REFUSED', message: expect.stringMatching(message) });

let store: LocalObjectStore;
beforeEach(async () => {
  store = await temporaryStore();
  await beginFormatLevel(systemRuntime, store);
});
afterEach(removeTemporaryDirectories);

/** A node of a release that reads up to `formatLevel`. */
async function announce(epoch: NodeEpoch, formatLevel: number): Promise<void> {
  await addMember(systemRuntime, store, epoch);
  const { record, etag } = await createNodeRecord(systemRuntime, store, epoch);
  const address = { host: '10.0.0.7', httpPort: 8080, adminPort: 8082 };
  const body = encodeNodeRecord({ ...changedNodeRecord(record, { address }), formatLevel });
  await store.put(nodeRecordName(epoch), body, { ifMatch: etag });
}

async function become(epoch: NodeEpoch, state: NodeRecord['state']): Promise<void> {
  await replaceNodeRecord(systemRuntime, store, await readNodeRecord(systemRuntime, store, epoch), { state });
}

const raise = async (level = 2, over: ObjectStore = store) => raiseFormatLevel(systemRuntime, over, level);
const stored = async () => (await readFormatLevel(systemRuntime, store)).record;

describe('raising the format level', () => {
  it('happens when every node reads the new one, and never twice', async () => {
    await announce(epochA, 2);
    await announce(epochB, 3);
    expect(await raise()).toEqual({ version: 3, level: 2 });
    expect(await stored()).toEqual({ version: 3, level: 2 });
    await expect(raise()).rejects.toEqual(refused(/^the format level is 2, the highest that this release knows$/));
    expect(await raise(3).then(undefined, (error: unknown) => error)).toEqual(
      refused(/cannot be raised to 3: node 0*a/),
    );
  });

  it.each(['live', 'draining'] as const)('is refused, and undone, while a %s node does not read it', async (state) => {
    await announce(epochA, 2);
    await announce(epochB, 1);
    await become(epochB, state);
    await expect(raise()).rejects.toEqual(
      refused(new RegExp(`node ${epochB} at 10\\.0\\.0\\.7:8080 reads formats up to level 1`)),
    );
    expect(await stored()).toEqual({ version: 3, level: 1 });
    expect((await nodesNotEnded(systemRuntime, store)).map(({ epoch }) => epoch)).toEqual([epochA, epochB]);
  });

  it.each(['condemned', 'stopped'] as const)(
    'does not mind a node that is %s, nor one without a record',
    async (state) => {
      await announce(epochB, 1);
      await become(epochB, state);
      await addMember(systemRuntime, store, epochC);
      expect(await raise()).toEqual({ version: 3, level: 2 });
    },
  );

  it('announces itself before it looks, so that no node starts unseen in between', async () => {
    const seen: unknown[] = [];
    const watched = alteredStore(store, {
      list: async (prefix, options) => {
        if (prefix === memberPrefix) seen.push(await stored());
        return store.list(prefix, options);
      },
    });
    await raise(2, watched);
    expect(seen).toEqual([{ version: 2, level: 1, raisingTo: 2 }]);
  });

  it('is undone when the members cannot be read', async () => {
    const runtime = new VirtualRuntime();
    const broken = alteredStore(store, {
      get: async (key) => runtime.hold(store.get(key)),
      put: async (key, body, condition) => runtime.hold(store.put(key, body, condition)),
      list: async () => {
        throw new StoreUnavailableError('away');
      },
    });
    const raising = raiseFormatLevel(runtime, broken, 2).then(undefined, (error: unknown) => error);
    await runtime.advance(60_000);
    expect(await raising).toEqual(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }));
    expect(await stored()).toEqual({ version: 3, level: 1 });
  });

  it('finishes what an interrupted one began, or undoes it', async () => {
    const begun = await readFormatLevel(systemRuntime, store);
    await replaceFormatLevel(systemRuntime, store, begun, { level: 1, raisingTo: 2 });
    await announce(epochA, 1);
    await expect(raise()).rejects.toEqual(refused(/cannot be raised/));
    expect(await stored()).toEqual({ version: 4, level: 1 });
    await become(epochA, 'stopped');
    expect(await raise()).toEqual({ version: 6, level: 2 });
  });

  it('is given up when somebody else raises it', async () => {
    const rival = alteredStore(store, {
      list: async (prefix, options) => {
        await raise();
        return store.list(prefix, options);
      },
    });
    await expect(raise(2, rival)).rejects.toEqual(refused(/by somebody else/));
    expect((await stored()).level).toBe(2);
  });

  it('needs a release that knows the present level', async () => {
    await raise(3);
    await expect(raise(2)).rejects.toEqual(expect.objectContaining({ code: 'FORMAT_LEVEL_UNKNOWN' }));
  });
});
