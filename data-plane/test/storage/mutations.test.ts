/** Deliberate breakages of the protocol, one at a time: each must be noticed, or the checks prove nothing. */
import { DurabilityGate } from '../../src/database/durability-gate.js';
import type { NodeEpoch } from '../../src/identity.js';
import { Sealer, type SealedPosition } from '../../src/keys/sealing.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { claim, type FindRecovery } from '../../src/ownership/claim.js';
import { readNodeRecord, replaceNodeRecord } from '../../src/ownership/node-record.js';
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { recoveredFragments, type RecoveryRecord } from '../../src/ownership/recovery-record.js';
import { emptyDatabaseImage } from '../../src/storage/empty-database.js';
import { CommitLog, type CommitLogOptions } from '../../src/storage/commit-log.js';
import { heldLease } from '../support/leases.js';
import type { LogStore } from '../../src/storage/log-store/log-store.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { ManifestStore } from '../../src/storage/manifest-store.js';
import { removeTemporaryDirectories, temporaryStore } from '../temporary-store.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { HeldWrites } from './held-writes.js';
import { databaseA, databaseB, deployment, epochA, epochB, epochC, pageOf, SampleDatabase } from './sample-database.js';
import { recovered } from './recovered.js';
import { createManifest, sampleManifest } from './sample-manifest.js';
import { ScriptedNode, type World } from './scripted-node.js';

afterEach(removeTemporaryDirectories);

/** A store with another way to put. */
function withPut(store: ObjectStore, put: ObjectStore['put']): ObjectStore {
  return Object.assign(Object.create(store) as ObjectStore, {
    get: (key: string) => store.get(key),
    getRange: (key: string, start: number, length: number) => store.getRange(key, start, length),
    delete: (key: string) => store.delete(key),
    put,
  });
}

/** Stores without a look at the condition. */
function unconditional(store: ObjectStore): ObjectStore {
  let last: Promise<unknown> = Promise.resolve();
  return withPut(store, async (key, body) => {
    const replaced = last.then(async () => {
      await store.delete(key);
      return store.put(key, body, { ifAbsent: true });
    });
    last = replaced;
    return replaced;
  });
}

interface Breakage {
  /** What the first owner's log is written through. */
  readonly logStore?: (store: ObjectStore) => ObjectStore;
  readonly makeLog?: (options: CommitLogOptions) => CommitLog;
  /** How the second owner learns what the first one left. */
  readonly recovery?: (
    recover: (logStore: ObjectStore) => Promise<RecoveryRecord>,
    logStore: ObjectStore,
  ) => ReturnType<FindRecovery>;
  readonly beforeTakeover?: (runtime: VirtualRuntime, dataStore: ObjectStore) => Promise<unknown>;
}

/**
 * One owner stalls with a write on its way and is taken over; its write then arrives. Throws when anything that was
 * acknowledged is missing, or something is acknowledged that no successor has.
 */
async function takeover({ logStore: breakStore, makeLog, recovery, beforeTakeover }: Breakage): Promise<void> {
  const runtime = new VirtualRuntime();
  const [dataStore, logStore] = [await temporaryStore(), await temporaryStore()];
  const world: World = { sample: new SampleDatabase(emptyDatabaseImage(0)), acknowledged: 0, forks: [] };
  const { sample } = world;
  const stall = new HeldWrites(runtime, breakStore ? breakStore(logStore) : logStore);
  let isStalled = false;
  const stalling = withPut(logStore, async (key, body, condition) => {
    const written = stall.put(key, body, condition);
    if (!isStalled) await stall.release();
    return written;
  });
  const node = (epoch: NodeEpoch, log: ObjectStore, more: object = {}): ScriptedNode =>
    new ScriptedNode({ runtime, dataStore, logStore: log, epoch, world, ...more });
  const write = (by: ScriptedNode): void => {
    const number = sample.commits.length + 1;
    by.commit(sample.write(3, new Map([[1 + (number % 3), pageOf(`commit ${number}`)]])));
  };

  const first = node(epochA, stalling, makeLog ? { makeLog } : {});
  await first.start();
  await first.create();
  await first.open();
  for (let commit = 1; commit <= 3; commit++) {
    write(first);
    await runtime.run(first.durable());
  }
  isStalled = true;
  write(first);
  await runtime.advance(10);
  await beforeTakeover?.(runtime, dataStore);

  const recover = (log: ObjectStore): Promise<RecoveryRecord> =>
    recoverEpoch({ runtime, dataStore, logStore: new SingleLogStore(runtime, log) }, epochA, epochB);
  const findRecovery = async (): ReturnType<FindRecovery> =>
    recovery ? recovery(recover, logStore) : recover(logStore);
  const second = node(epochB, logStore, { findRecovery });
  await second.start();
  await second.open();
  write(second);
  await runtime.run(second.durable());
  while (stall.keys.length > 0) await stall.release();
  await runtime.advance(1_000);
  write(second);
  await runtime.run(second.stop());

  const third = node(epochC, logStore);
  await third.start();
  await third.open();
  if (world.forks.length > 0) throw new Error(world.forks.join());
}

/** Reports a database's commits as soon as they are handed over. */
class HastyLog extends CommitLog {
  override append(...[database, commit]: Parameters<CommitLog['append']>): void {
    super.append(database, commit);
    database.onDurable([0, 0, 0, commit.number, commit.number], commit);
  }
}

const breakages: Record<string, Breakage> = {
  'a store that ignores if-absent': { logStore: unconditional },
  'a store that answers before it has stored': {
    logStore: (store) => withPut(store, async () => ({ won: true, etag: 'none' as never })),
  },
  'a store that loses one object that it confirmed': {
    logStore: (store) =>
      withPut(store, async (key, body, condition) =>
        key.endsWith('1') ? { won: true, etag: 'none' as never } : store.put(key, body, condition),
      ),
  },
  'a log that acknowledges before it stores': { makeLog: (options) => new HastyLog(options) },
  'a log that does not end when its write has lost': {
    makeLog: (options) =>
      new CommitLog({
        ...options,
        store: Object.assign(Object.create(options.store) as LogStore, {
          create: async (...[epoch, position, bytes]: Parameters<LogStore['create']>) => {
            await options.store.create(epoch, position, bytes);
            return 'won';
          },
        }),
      }),
  },
  'a recovery that does not seal': {
    recovery: (recover, store) => recover(withPut(store, async () => ({ won: true, etag: 'none' as never }))),
  },
  'a recovery that ends one object early': {
    recovery: async (recover, store) => {
      const record = await recover(store);
      const fragments = recoveredFragments(record, databaseA, 1);
      if (fragments.length === 0) throw new Error('nothing was logged');
      return { ...record, databases: recovered({ [databaseA]: [{ term: 1, fragments: fragments.slice(0, -1) }] }) };
    },
  },
  'a claim without a recovery': {
    recovery: async () => ({ epoch: epochA, sealedAt: 0, databases: recovered() }),
  },
  'a low-water mark above what is still needed': {
    beforeTakeover: async (runtime, store) =>
      replaceNodeRecord(runtime, store, await readNodeRecord(runtime, store, epochA), { lowWaterPosition: 1 }),
  },
};

describe('taking over from a stalled owner', () => {
  it('works', async () => {
    await takeover({});
  });

  it.each(Object.keys(breakages))('is noticed to fail with %s', async (name) => {
    await expect(takeover(breakages[name] ?? {})).rejects.toThrow(/acknowledged|does not follow|missing/);
  });
});

/** Two epochs claim a database that nobody owns. Returns how many believe that they own it. */
async function claimants(store: ObjectStore): Promise<number> {
  const runtime = new VirtualRuntime();
  const manifests = new ManifestStore(runtime, store);
  const { owner: _owner, ...unowned } = sampleManifest();
  const found = await createManifest(manifests, unowned);
  const claims = [epochB, epochC].map((epoch) => claim(manifests, async () => undefined, epoch, found));
  return (await Promise.allSettled(claims)).filter(({ status }) => status === 'fulfilled').length;
}

describe('claiming at once', () => {
  it('has one winner', async () => {
    expect(await claimants(await temporaryStore())).toBe(1);
  });

  it('is noticed to have two with a store that ignores if-match', async () => {
    expect(await claimants(unconditional(await temporaryStore()))).toBe(2);
  });
});

/** Replaces a part of every position before it reaches the associated data. */
class CarelessSealer extends Sealer {
  constructor(
    private readonly misplace: (position: SealedPosition) => SealedPosition,
    database = databaseA,
  ) {
    super(new VirtualRuntime(), deployment, database, { current: 1, keys: new Map([[1, Buffer.alloc(32, 1)]]) });
  }

  override seal(position: SealedPosition, plaintext: Uint8Array): Buffer {
    return super.seal(this.misplace(position), plaintext);
  }

  override open(position: SealedPosition, sealed: Uint8Array): Buffer {
    return super.open(this.misplace(position), sealed);
  }
}

/** The parts of a position that may be changed unnoticed. */
function unbound(sealer: Sealer, other: Sealer): string[] {
  const place: SealedPosition = { kind: 'fragment', term: 1, numbers: [1, 2], previous: Buffer.alloc(32) };
  const sealed = sealer.seal(place, Buffer.from('content'));
  const attempts: [string, Sealer, SealedPosition][] = [
    ['kind', sealer, { ...place, kind: 'segment' }],
    ['term', sealer, { ...place, term: 2 }],
    ['numbers', sealer, { ...place, numbers: [1, 3] }],
    ['previous', sealer, { ...place, previous: Buffer.alloc(32, 1) }],
    ['database', other, place],
  ];
  return attempts.flatMap(([part, opener, position]) => {
    try {
      opener.open(position, sealed);
      return [part];
    } catch (error) {
      expect(error).toEqual(expect.objectContaining({ code: 'STORE_OBJECT_CORRUPT' }));
      return [];
    }
  });
}

describe('sealing', () => {
  const faithful = (position: SealedPosition): SealedPosition => position;

  it('binds everything', () => {
    expect(unbound(new CarelessSealer(faithful), new CarelessSealer(faithful, databaseB))).toEqual([]);
  });

  it.each<[string, (position: SealedPosition) => SealedPosition]>([
    ['kind', (position) => ({ ...position, kind: 'segment' })],
    ['term', (position) => ({ ...position, term: 0 })],
    ['numbers', (position) => ({ ...position, numbers: [] })],
    ['previous', ({ previous: _previous, ...position }) => position],
  ])('is noticed to forget the %s', (part, forget) => {
    expect(unbound(new CarelessSealer(forget), new CarelessSealer(forget, databaseB))).toEqual([part]);
  });

  it('is noticed to forget the database', () => {
    expect(unbound(new CarelessSealer(faithful), new CarelessSealer(faithful))).toEqual(['database']);
  });
});

/** Whether an answer left before its commit was durable. */
async function leavesEarly(gate: DurabilityGate, runtime: VirtualRuntime): Promise<boolean> {
  let hasLeft = false;
  gate.wait(2).then(
    () => (hasLeft = true),
    () => undefined,
  );
  gate.advance(1);
  await runtime.advance(10_000);
  return hasLeft;
}

describe('the gate', () => {
  it('holds an answer back for ever', async () => {
    const runtime = new VirtualRuntime();
    expect(await leavesEarly(new DurabilityGate(runtime, heldLease, 0, 100), runtime)).toBe(false);
  });

  it('is noticed to let an answer out because time passed', async () => {
    class ImpatientGate extends DurabilityGate {
      override async wait(commit: number): Promise<number | undefined> {
        return super.wait(commit).catch(() => undefined);
      }
    }
    const runtime = new VirtualRuntime();
    expect(await leavesEarly(new ImpatientGate(runtime, heldLease, 0, 100), runtime)).toBe(true);
  });
});
