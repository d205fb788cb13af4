/**
 * Reads the fragments that follow a generation, from the logs of one or more epochs, in commit order. A gap, a fragment
 * of another database or term, or one that does not name its predecessor is an error: a database is restored to exactly
 * its last acknowledged state or not at all.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { readWithRetry } from './conditional-write.js';
import { decodeFragmentHeader, decodingFragment, type Commit, type FragmentDigest } from './fragment.js';
import type { LogRange } from './log-location.js';
import { hashing } from './long-buffers.js';
import { logObjectName } from './object-names.js';

/** The state that a fragment follows. */
export interface ChainPoint {
  readonly commit: number;
  readonly commitTimeMs: number;
  readonly chainDigest: FragmentDigest;
}

export interface TailFragment {
  readonly bytes: Buffer;
  readonly commits: readonly Commit[];
  /** The chain after this fragment. */
  readonly after: ChainPoint;
}

const parallelReads = 16;

/** Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming the log object. */
export async function* readTail(
  runtime: Runtime,
  logStore: ObjectStore,
  sealer: Sealer,
  database: DatabaseId,
  from: ChainPoint,
  ranges: readonly LogRange[],
): AsyncGenerator<TailFragment, ChainPoint> {
  const wanted = ranges.flatMap((range) =>
    range.fragments
      .filter(([, , , , lastCommit]) => lastCommit > from.commit)
      .map((location) => ({ key: logObjectName(range.epoch, location[0]), term: range.term, location })),
  );
  const read = async ({ key, location: [, offset, length] }: (typeof wanted)[number]): Promise<Buffer> => {
    const bytes = await readWithRetry(runtime, key, () => logStore.getRange(key, offset, length));
    if (!bytes)
      throw new ByocError('STORE_OBJECT_MISSING', `log object ${key} is missing; database ${database} needs it`);
    if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `log object ${key} is truncated`);
    return bytes;
  };
  const turns = new Turns(runtime, 'background');
  let point = from;
  for (let start = 0; start < wanted.length; start += parallelReads) {
    const batch = wanted.slice(start, start + parallelReads);
    const fragments = await Promise.all(batch.map(read));
    for (const [index, bytes] of fragments.entries()) {
      const { key, term } = batch[index] as (typeof wanted)[number];
      const header = decodeFragmentHeader(key, bytes);
      const follows =
        header.database === database &&
        header.term === term &&
        header.firstCommit === point.commit + 1 &&
        header.previous.equals(point.chainDigest);
      if (!follows) {
        throw new ByocError(
          'STORE_OBJECT_CORRUPT',
          `the fragment in ${key} does not follow commit ${point.commit} of database ${database}`,
        );
      }
      const commits = await turns.run(decodingFragment(sealer, key, bytes));
      const last = commits.at(-1) as Commit;
      point = { commit: last.number, commitTimeMs: last.timeMs, chainDigest: await turns.run(hashing(bytes)) };
      yield { bytes, commits, after: point };
    }
  }
  return point;
}
