/** The commit log over a store that loses requests and answers: what was reported durable is exactly what can be read. */
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { createNodeRecord } from '../../src/ownership/node-record.js';
import { recoveredFragments } from '../../src/ownership/recovery-record.js';
import { CommitLog } from '../../src/storage/commit-log.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { FaultyObjectStore, someFaults } from '../faulty-object-store.js';
import { seededRandom, testSeeds } from '../seeded-random.js';
import { removeTemporaryDirectories, temporaryStore } from '../temporary-store.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { LoggedSample, upTo } from './logged-sample.js';
import { databaseA, databaseB, epochA, epochB, epochC } from './sample-database.js';

afterEach(removeTemporaryDirectories);

interface Outcome {
  readonly readable: number[][];
  readonly durable: number[];
  readonly made: number[];
}

async function runLog(seed: number, recoverers: readonly (typeof epochB)[]): Promise<Outcome> {
  const random = seededRandom(seed);
  const runtime = new VirtualRuntime(seed);
  const [dataStore, logStore] = [await temporaryStore(), await temporaryStore()];
  await runtime.run(createNodeRecord(runtime, dataStore, epochA));
  const faulty = new FaultyObjectStore(runtime, logStore, someFaults, seed + 1);
  const log = new CommitLog({
    runtime,
    store: new SingleLogStore(runtime, faulty),
    epoch: epochA,
    windowMs: 5,
    maxObjectBytes: 20_000,
    maxInFlight: 4,
    onFenced: () => undefined,
  });
  const databases = [databaseA, databaseB].map((id) => new LoggedSample(id, 1, runtime));
  const recoverAt = random.below(100);
  let recoveries: Promise<unknown>[] = [];
  for (let step = 0; step < 100; step++) {
    const database = databases[random.below(2)];
    for (let commits = random.below(3); commits > 0; commits--) database?.commitTo(log);
    await runtime.advance(random.below(12));
    if (step !== recoverAt) continue;
    const faultyData = new FaultyObjectStore(runtime, dataStore, { ...someFaults, unavailable: 0 }, seed + 2);
    recoveries = recoverers.map((by) =>
      recoverEpoch({ runtime, dataStore: faultyData, logStore: new SingleLogStore(runtime, faulty) }, epochA, by).catch(
        (error: unknown) => {
          // The attempts may be used up; another recoverer comes then.
          expect(error).toEqual(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }));
        },
      ),
    );
  }
  faulty.heal();
  await runtime.run(Promise.all(recoveries));
  await runtime.drain();

  const record =
    recoverers.length > 0
      ? await runtime.run(
          recoverEpoch({ runtime, dataStore, logStore: new SingleLogStore(runtime, logStore) }, epochA, epochC),
        )
      : undefined;
  if (!record) expect(log.isFenced).toBe(false);
  return {
    readable: await Promise.all(
      databases.map((database) =>
        database.read(logStore, epochA, record ? recoveredFragments(record, database.id, 1) : database.durable),
      ),
    ),
    durable: databases.map((database) => database.durableCommit),
    made: databases.map((database) => database.sample.commits.length),
  };
}

describe('commit log under faults', () => {
  it.each(testSeeds(20))('makes everything durable in the end, and readable as reported (seed %i)', async (seed) => {
    const { readable, durable, made } = await runLog(seed, []);
    expect(durable).toEqual(made);
    expect(readable).toEqual(durable.map(upTo));
  });

  it.each(testSeeds(30))('loses nothing it acknowledged when others end it (seed %i)', async (seed) => {
    const { readable, durable, made } = await runLog(seed, seed % 2 === 0 ? [epochB] : [epochB, epochC]);
    readable.forEach((commits, index) => {
      expect(commits).toEqual(upTo(commits.length));
      expect(commits.length).toBeGreaterThanOrEqual(durable[index] ?? 0);
      expect(commits.length).toBeLessThanOrEqual(made[index] ?? 0);
    });
  });

  it('repeats exactly under the same seed', async () => {
    expect(await runLog(7, [epochB])).toEqual(await runLog(7, [epochB]));
  });
});
