/** What follows the generation of a database: the fragments that it carries in an archive, then those in logs. */
import type { DatabaseId } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readArchive } from './archive.js';
import { fragmentEnd, type ChainStart, type SealedFragment } from './fragment-chain.js';
import type { LogRange } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';
import type { CarriedFragments } from './manifest.js';
import { carriedFragmentsName } from './object-names.js';
import { readTail } from './tail.js';

export interface Unfolded {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
  /** The line of branches that ends with the database. */
  readonly line: readonly DatabaseId[];
  readonly carried?: CarriedFragments | undefined;
  /** Everything logged since; what the generation already holds is passed over. */
  readonly ranges: readonly LogRange[];
}

/** The fragments after `from`, in order. Needs no key. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`. */
export async function* readUnfolded(unfolded: Unfolded, from: ChainStart): AsyncGenerator<SealedFragment> {
  const { runtime, dataStore, line, carried, ranges } = unfolded;
  const database = line.at(-1) as DatabaseId;
  let end: ChainStart = from;
  if (carried && carried.commit > from.commit) {
    const key = carriedFragmentsName(database, carried.attempt);
    for await (const fragment of readArchive(runtime, dataStore, line, key, from)) {
      end = fragmentEnd(fragment);
      yield fragment;
    }
  }
  yield* readTail(unfolded, database, end, ranges);
}
