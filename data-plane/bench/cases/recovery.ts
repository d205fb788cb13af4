/** How long the databases of a dead node wait until they can be claimed. */
import type { DatabaseId, NodeEpoch } from '@turso-byoc/data-plane/identity.js';
import { LocalObjectStore } from '@turso-byoc/data-plane/object-store/local-object-store.js';
import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { createNodeRecord, replaceNodeRecord } from '@turso-byoc/data-plane/ownership/node-record.js';
import { recoverEpoch } from '@turso-byoc/data-plane/ownership/recover-epoch.js';
import { readRecoveryRecord, recoveredFragments } from '@turso-byoc/data-plane/ownership/recovery-record.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { encodeLogObject } from '@turso-byoc/data-plane/storage/log-object.js';
import { SingleLogStore } from '@turso-byoc/data-plane/storage/log-store/single-log-store.js';
import { logObjectName, packName } from '@turso-byoc/data-plane/storage/object-names.js';
import { encodePack } from '@turso-byoc/data-plane/storage/pack.js';
import { atOnce } from '@turso-byoc/data-plane/turns.js';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { medianFigure, singleFigure, target } from '../report/figures.js';
import { latencies } from '../subjects/latencies.js';
import { drawLatencyMs, numberedId, type Latency } from '../subjects/memory-store.js';
import type { BenchCase } from './bench-case.js';

/** What a node retains above its mark at the most, and what is written while a pack is made. */
const positions = 700;
const packs = 24;
/** Packs that hold a run of every database. */
const packsOfAll = 4;
const rounds = 3;

export const recoveryCase: BenchCase = {
  name: 'recovery',
  title: 'Recovery of a dead node',
  explanation:
    'From the condemnation of an epoch to its recovery record, read back by a claimant: every database has runs in four ' +
    `packs, and ${positions} log objects above the mark. Local store, with the latencies of S3 Standard added to each ` +
    `request (read p50 ${latencies.standard.read.p50Ms} p99 ${latencies.standard.read.p99Ms} ms, write p50 ` +
    `${latencies.standard.write.p50Ms} p99 ${latencies.standard.write.p99Ms} ms).`,
  run: async ({ directory, budget, progress }) => {
    const count = budget.recoveredDatabases;
    const databases = Array.from({ length: count }, (_, number) => numberedId(number) as DatabaseId).sort();
    const elapsedMs: number[] = [];
    const cpuMs: number[] = [];
    const heldUpMs: number[] = [];
    let recordBytes = 0;
    for (let round = 0; round < rounds; round++) {
      progress(`Recovery of ${count} databases: ${round + 1} of ${rounds}`);
      const store = await LocalObjectStore.open(join(directory, `store${round}`));
      const epoch = round.toString(16).padStart(32, '0') as NodeEpoch;
      await writeEpoch(store, epoch, databases);
      const slow = delayed(store, latencies.standard.read, latencies.standard.write);
      const stores = { runtime: systemRuntime, dataStore: slow, logStore: new SingleLogStore(systemRuntime, slow) };
      const heldUp = monitorEventLoopDelay({ resolution: 1 });
      heldUp.enable();
      const startMs = performance.now();
      const startCpu = process.cpuUsage();
      await recoverEpoch(stores, epoch, epoch);
      const record = await readRecoveryRecord(systemRuntime, slow, epoch);
      elapsedMs.push(performance.now() - startMs);
      heldUp.disable();
      heldUpMs.push(heldUp.max / 1e6);
      const { user, system } = process.cpuUsage(startCpu);
      cpuMs.push((user + system) / 1_000);
      if (!record || databases.some((id) => recoveredFragments(record, id, 1).length === 0)) {
        throw new Error('a database is missing in the recovery record');
      }
      recordBytes = record.databases.lines.length;
    }
    const figure = medianFigure('all claimable after', 'ms', elapsedMs);
    return {
      results: [
        {
          case: recoveryCase.name,
          parameters: { 'open databases': count },
          figures: [
            figure,
            medianFigure('CPU time, store included', 'ms', cpuMs),
            medianFigure('other requests held up at most', 'ms', heldUpMs),
            singleFigure('recovery record', 'bytes', recordBytes),
          ],
        },
      ],
      targets: [target(`${count} databases claimable after condemnation`, 'ms', figure.value, 'at most', 3_000)],
    };
  },
};

async function writeEpoch(store: ObjectStore, epoch: NodeEpoch, databases: readonly DatabaseId[]): Promise<void> {
  const fragment = Buffer.alloc(64);
  const part = (database: DatabaseId, commit: number) => ({
    database,
    term: 1,
    firstCommit: commit,
    lastCommit: commit,
  });
  const absent = { ifAbsent: true } as const;
  const writes: Promise<unknown>[] = [];
  const perPack = Math.ceil(databases.length / (packs - packsOfAll));
  for (let pack = 1; pack <= packs; pack++) {
    const part0 = (pack - packsOfAll - 1) * perPack;
    const chosen = pack <= packsOfAll ? databases : databases.slice(part0, part0 + perPack);
    const runs = chosen.map((id) => ({ ...part(id, pack <= packsOfAll ? pack + 1 : 1), fragments: [fragment] }));
    await store.put(packName(epoch, pack), atOnce(encodePack(runs)).bytes, absent);
  }
  const perObject = Math.ceil(databases.length / positions);
  for (let position = 0; position < positions; position++) {
    const chosen = databases.slice(position * perObject, (position + 1) * perObject);
    const parts = chosen.map((id) => ({ ...part(id, packsOfAll + 2), bytes: fragment }));
    writes.push(store.put(logObjectName(epoch, position), encodeLogObject(parts).bytes, absent));
  }
  await Promise.all(writes);
  const created = await createNodeRecord(systemRuntime, store, epoch, { logBegun: true });
  const named = Array.from({ length: packs }, (_, index) => index + 1);
  await replaceNodeRecord(systemRuntime, store, created, { packs: named, state: 'condemned' });
}

function delayed(store: ObjectStore, read: Latency, write: Latency): ObjectStore {
  const wait = async (latency: Latency): Promise<void> =>
    systemRuntime.sleep(drawLatencyMs(() => systemRuntime.randomFraction(), latency));
  return {
    get: async (key) => (await wait(read), store.get(key)),
    getRange: async (key, start, length) => (await wait(read), store.getRange(key, start, length)),
    put: async (key, body, condition) => (await wait(write), store.put(key, body, condition)),
    delete: async (key) => (await wait(write), store.delete(key)),
    list: async (prefix, options) => (await wait(read), store.list(prefix, options)),
  };
}
