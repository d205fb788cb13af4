/**
 * One epoch writes into three zones until two recoverers, each with its own view of the zones, end it. Zones are cut off
 * for one process and not for another, one may be lost for good and may be replaced by an empty bucket, at any moment.
 */
import { createNodeRecord } from '../../src/ownership/node-record.js';
import { recoverEpoch } from '../../src/ownership/recover-epoch.js';
import { recoveredFragments, type RecoveryRecord } from '../../src/ownership/recovery-record.js';
import { CommitLog } from '../../src/storage/commit-log.js';
import type { QuorumLogStore } from '../../src/storage/log-store/quorum-log-store.js';
import { FaultyObjectStore, someFaults } from '../faulty-object-store.js';
import { seededRandom } from '../seeded-random.js';
import { VirtualRuntime } from '../virtual-runtime.js';
import { LoggedSample, upTo } from './logged-sample.js';
import { databaseA, databaseB, epochA, epochB, epochC } from './sample-database.js';
import { ThreeZones, type MakeStore, type ZonesView } from './three-zones.js';

/** What is done wrong on purpose. */
export interface Breakage {
  /** The log store of the writer. */
  readonly writer?: MakeStore;
  /** Those of the recoverers. */
  readonly recoverer?: MakeStore;
  /** The one that restores in the end. */
  readonly reader?: MakeStore;
  /** What somebody does to the empty bucket that replaced a lost one. */
  readonly onReplaced?: (zones: ThreeZones) => Promise<unknown>;
}

const steps = 60;
const faults = { ...someFaults, unavailable: 5, lostAnswer: 5, lostRequest: 5 };

/** Returns what is wrong in the end: nothing, or a loss, a fork, a gap. Throws when recovery is refused without need. */
export async function runQuorum(seed: number, breakage: Breakage = {}): Promise<string[]> {
  const random = seededRandom(seed);
  const runtime = new VirtualRuntime(seed);
  const zones = new ThreeZones(runtime);
  const { dataStore } = zones;
  const views: ZonesView[] = [];
  const healthyData = new FaultyObjectStore(runtime, dataStore, { ...someFaults, unavailable: 0 }, seed + 2);
  const process = (make?: MakeStore): { view: ZonesView; store: QuorumLogStore } => {
    const view = zones.view(faults, seed * 10 + views.length);
    views.push(view);
    return { view, store: zones.logStore(view, healthyData, make) };
  };

  const writer = process(breakage.writer);
  await runtime.run(writer.store.begin(epochA));
  await runtime.run(createNodeRecord(runtime, dataStore, epochA, { logBegun: true }));
  const log = new CommitLog({
    runtime,
    store: writer.store,
    epoch: epochA,
    firstPosition: 1,
    windowMs: 5,
    maxObjectBytes: 20_000,
    maxInFlight: 4,
    onFenced: () => undefined,
  });
  const databases = [databaseA, databaseB].map((id) => new LoggedSample(id, 1, runtime));
  const lossAt = random.below(2) === 0 ? random.below(steps) : Infinity;
  const recoverAt = [random.below(steps), random.below(steps)];
  const recoveries: Promise<RecoveryRecord | undefined>[] = [];
  for (let step = 0; step < steps; step++) {
    for (let commits = random.below(3); commits > 0; commits--) databases[random.below(2)]?.commitTo(log);
    await runtime.advance(random.below(20));
    // Each process may be cut off from a zone of its own; from the one that is lost all are.
    if (zones.lost === undefined) {
      for (const view of views) if (random.below(4) === 0) view.cutOff([0, 1, 2, undefined][random.below(4)]);
    }
    if (step === lossAt) {
      const zone = random.below(3);
      zones.lose(zone, random.below(2) === 0);
      for (const view of views) view.cutOff(zone);
      await breakage.onReplaced?.(zones);
    }
    for (const [index, by] of [epochB, epochC].entries()) {
      if (step !== recoverAt[index]) continue;
      const { store } = process(breakage.recoverer);
      recoveries.push(
        recoverEpoch({ runtime, dataStore: healthyData, logStore: store }, epochA, by).catch((error: unknown) => {
          // The attempts may be used up, or too few zones be reached; another recoverer comes then.
          if ((error as { code?: string }).code !== 'STORE_UNAVAILABLE') throw error;
          return undefined;
        }),
      );
    }
  }
  if (zones.lost === undefined) for (const view of views) view.cutOff(undefined);
  for (const view of views) view.heal();
  healthyData.heal();
  await runtime.run(Promise.all(recoveries));
  const last = process(breakage.recoverer);
  last.view.heal();
  const record = await runtime.run(
    recoverEpoch({ runtime, dataStore: healthyData, logStore: last.store }, epochA, epochC),
  );
  await runtime.run(runtime.sleep(20_000));
  writer.store.close();

  // Whichever zone is away now, everything that was acknowledged can be read, and nothing else is in between.
  const wrong: string[] = [];
  const away = zones.lost === undefined ? [0, 1, 2, undefined] : [zones.replacement ? undefined : zones.lost];
  for (const zone of away) {
    const reader = process(breakage.reader);
    reader.view.heal();
    reader.view.cutOff(zone);
    for (const database of databases) {
      const commits = await runtime
        .run(database.readFrom(reader.store, epochA, recoveredFragments(record, database.id, 1), dataStore))
        .catch((error: unknown) => String(error));
      if (typeof commits === 'string') wrong.push(`without zone ${zone}: ${commits}`);
      else if (commits.join() !== upTo(commits.length).join()) wrong.push(`there is a gap in ${commits.join()}`);
      else if (commits.length < database.durableCommit) {
        wrong.push(`${database.durableCommit} commits were acknowledged, ${commits.length} are there`);
      }
    }
  }
  return wrong;
}
