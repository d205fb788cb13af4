import { MemoryStore } from '../../test/memory-store.js';
import { recovered } from '../../test/storage/recovered.js';
import { epochA, epochB } from '../../test/storage/sample-database.js';
import { VirtualRuntime } from '../../test/virtual-runtime.js';
import { StoreUnavailableError, type StoredObject } from '../object-store/object-store.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { addMember, removeMember } from './members.js';
import { createNodeRecord, readNodeRecord, replaceNodeRecord } from './node-record.js';
import { NodeWatch } from './node-watch.js';
import { createRecoveryRecord } from './recovery-record.js';

const timing = { beatMs: 500, leaseMs: 2_000, marginMs: 500 };

class SlowStore extends MemoryStore {
  /** Reads of node records. */
  reads = 0;
  /** How long the next of them takes. */
  nextReadMs = 0;

  constructor(private readonly runtime: VirtualRuntime) {
    super();
  }

  override async get(key: string): Promise<StoredObject | undefined> {
    if (!key.startsWith('nodes/')) return super.get(key);
    this.reads += 1;
    const ms = this.nextReadMs;
    this.nextReadMs = 0;
    await this.runtime.sleep(ms);
    return super.get(key);
  }
}

let runtime: VirtualRuntime;
let store: SlowStore;
let condemnedAtMs: number | undefined;
let endedAtMs: number | undefined;
let watch: NodeWatch;

beforeEach(async () => {
  runtime = new VirtualRuntime();
  store = new SlowStore(runtime);
  condemnedAtMs = endedAtMs = undefined;
  await addMember(runtime, store, epochA);
  await createNodeRecord(runtime, store, epochA);
  watch = new NodeWatch({
    stores: { runtime, dataStore: store, logStore: new SingleLogStore(runtime, new MemoryStore()) },
    own: epochB,
    timing,
    recover: async (epoch) => createRecoveryRecord(runtime, store, { epoch, sealedAt: 1, databases: recovered() }),
    onCondemned: () => (condemnedAtMs = runtime.monotonicMs()),
    onEnded: () => (endedAtMs = runtime.monotonicMs()),
    report: () => undefined,
  });
  await runtime.run(watch.start());
});
afterEach(() => watch.stop());

describe('the watch over other nodes', () => {
  it('condemns a silent node when its lease is over, not at the beat after that', async () => {
    const current = await runtime.run(readNodeRecord(runtime, store, epochA));
    await runtime.run(replaceNodeRecord(runtime, store, current, {}));
    // First seen a little after a beat: four beats later the lease is not quite over.
    store.nextReadMs = 10;
    await runtime.advance(timing.beatMs + 10);
    const seenAtMs = runtime.monotonicMs();
    await runtime.advance(timing.leaseMs - 1);
    expect(condemnedAtMs).toBeUndefined();
    await runtime.advance(1);
    expect(condemnedAtMs).toBe(seenAtMs + timing.leaseMs);
    expect(endedAtMs).toBe(condemnedAtMs);
  });

  it('reads the record of a node that beats once a beat', async () => {
    const readsBefore = store.reads;
    for (let beat = 0; beat < 20; beat++) {
      await runtime.advance(timing.beatMs);
      const current = await runtime.run(readNodeRecord(runtime, store, epochA));
      await runtime.run(replaceNodeRecord(runtime, store, current, {}));
    }
    // One read of each beat is that of this test.
    expect(store.reads - readsBefore).toBe(40);
    expect(condemnedAtMs).toBeUndefined();
  });

  it('reads what an epoch left that another node recovered, though nobody asked for it', async () => {
    await createRecoveryRecord(runtime, store, { epoch: epochA, sealedAt: 1, databases: recovered() });
    await removeMember(store, epochA);
    // Its record keeps changing, so that nothing but the missing marker tells.
    for (let beat = 0; beat < 5; beat++) {
      await runtime.advance(timing.beatMs);
      const current = await runtime.run(readNodeRecord(runtime, store, epochA));
      await runtime.run(replaceNodeRecord(runtime, store, current, {}));
    }
    expect(endedAtMs).toBeDefined();
    expect(condemnedAtMs).toBeUndefined();
  });

  it('learns soon that an epoch somebody waits for was recovered by another node', async () => {
    const current = await runtime.run(readNodeRecord(runtime, store, epochA));
    await runtime.run(replaceNodeRecord(runtime, store, current, { state: 'condemned' }));
    const waiting = watch.suspect(epochA, 10_000);
    // The beat that sees it condemned.
    await runtime.advance(timing.beatMs);
    await runtime.run(createRecoveryRecord(runtime, store, { epoch: epochA, sealedAt: 1, databases: recovered() }));
    const recoveredAtMs = runtime.monotonicMs();
    await runtime.run(waiting);
    expect(runtime.monotonicMs() - recoveredAtMs).toBeLessThanOrEqual(timing.beatMs / 5);
    expect(endedAtMs).toBe(runtime.monotonicMs());
    expect(condemnedAtMs).toBeUndefined();
  });

  it('keeps nothing of those who gave up waiting for an epoch', async () => {
    // So that there is no end of it to tell of.
    store.get = async () => Promise.reject(new StoreUnavailableError('away'));
    const waits = Array.from({ length: 20 }, async () => watch.suspect(epochA, 100));
    const longer = watch.suspect(epochA, 10_000);
    expect(watch.waiting).toBe(21);
    await runtime.advance(100);
    await Promise.all(waits);
    expect(watch.waiting).toBe(1);
    watch.stop();
    await longer;
    expect(watch.waiting).toBe(0);
  });

  it('does not send anybody to a node that was replaced by this one at its address', async () => {
    const address = { host: '10.0.0.7', httpPort: 8080, adminPort: 8081 };
    const current = await runtime.run(readNodeRecord(runtime, store, epochA));
    await runtime.run(replaceNodeRecord(runtime, store, current, { address }));
    await runtime.advance(timing.beatMs);
    expect(watch.address(epochA)).toEqual(address);
    expect(watch.isSilent(epochA)).toBe(false);
    expect(watch.candidates()).toEqual([epochA]);
    watch.servesAt({ ...address, httpPort: 9090 });
    expect(watch.address(epochA)).toEqual(address);
    watch.servesAt(address);
    expect(watch.address(epochA)).toBeUndefined();
    expect(watch.isSilent(epochA)).toBe(true);
    expect(watch.candidates()).toEqual([]);
    // Addresses say nothing of safety: its epoch ends when its lease is over, and not before.
    expect(condemnedAtMs).toBeUndefined();
    await runtime.advance(timing.leaseMs + timing.beatMs);
    expect(condemnedAtMs).toBeDefined();
  });
});
