import type { DatabaseId, NodeEpoch } from '../../src/identity.js';
import type { Sealer } from '../../src/keys/sealing.js';
import type { ObjectStore } from '../../src/object-store/object-store.js';
import { systemRuntime, type Runtime } from '../../src/runtime.js';
import type { CommitLog, LoggedDatabase } from '../../src/storage/commit-log.js';
import { chainStart, type Commit, type FragmentDigest } from '../../src/storage/fragment.js';
import { atOnce } from '../../src/turns.js';
import { openingFragment } from '../../src/storage/fragment-chain.js';
import type { FragmentLocation } from '../../src/storage/log-location.js';
import type { LogStore } from '../../src/storage/log-store/log-store.js';
import { SingleLogStore } from '../../src/storage/log-store/single-log-store.js';
import { readTail } from '../../src/storage/tail.js';
import { pageOf, SampleDatabase, sampleSealer } from './sample-database.js';

/** A sample database in a commit log, which notes what the log reports. */
export class LoggedSample implements LoggedDatabase {
  readonly sample = new SampleDatabase();
  readonly durable: FragmentLocation[] = [];
  durableCommit = 0;
  chainDigest: FragmentDigest = chainStart;
  readonly sealer: Sealer;

  constructor(
    readonly id: DatabaseId,
    readonly term = 1,
    runtime: Runtime = systemRuntime,
  ) {
    this.sealer = sampleSealer(runtime, id);
  }

  /** Makes a small commit and gives it to the log. */
  commitTo(log: CommitLog): Commit {
    const number = this.sample.commits.length + 1;
    const commit = this.sample.write(2, new Map([[1 + (number % 2), pageOf(`${this.id} ${number}`)]]));
    log.append(this, commit);
    return commit;
  }

  onDurable(location: FragmentLocation, lastCommit: Commit): void {
    if (location[3] !== this.durableCommit + 1 || location[4] !== lastCommit.number) {
      throw new Error(`commits ${location[3]} to ${location[4]} were reported after ${this.durableCommit}`);
    }
    this.durable.push(location);
    this.durableCommit = lastCommit.number;
  }

  /** The numbers of the commits that lie where the log said, read and proved. */
  async read(
    store: ObjectStore,
    epoch: NodeEpoch,
    fragments: readonly FragmentLocation[] = this.durable,
    dataStore: ObjectStore = store,
  ): Promise<number[]> {
    return this.readFrom(new SingleLogStore(systemRuntime, store), epoch, fragments, dataStore);
  }

  /** The same of any log store. */
  async readFrom(
    store: LogStore,
    epoch: NodeEpoch,
    fragments: readonly FragmentLocation[],
    dataStore: ObjectStore,
  ): Promise<number[]> {
    const start = { commit: 0, commitTimeMs: 0, chainDigest: chainStart };
    const ranges = [{ epoch, term: this.term, fragments }];
    const numbers: number[] = [];
    const stores = { runtime: systemRuntime, dataStore, logStore: store };
    for await (const fragment of readTail(stores, this.id, start, ranges)) {
      for (const commit of atOnce(openingFragment(this.sealer, fragment)).commits) {
        const original = this.sample.commits[commit.number - 1];
        if (!original || !Buffer.concat(original.pages).equals(Buffer.concat(commit.pages))) {
          throw new Error(`commit ${commit.number} was changed`);
        }
        numbers.push(commit.number);
      }
    }
    return numbers;
  }
}

/** 1, 2, … `last`. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
