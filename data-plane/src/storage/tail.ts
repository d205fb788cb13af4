/**
 * Reads the fragments that follow a generation, from the logs of one or more epochs, in commit order. A gap, a fragment
 * of another database or term, or one that does not name its predecessor is an error: a database is restored to exactly
 * its last acknowledged state or not at all.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { fragmentEnd, nextFragment, type ChainEnd, type SealedFragment } from './fragment-chain.js';
import type { LogRange } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';
import { hashing } from './long-buffers.js';

const parallelReads = 16;

/**
 * The fragments as they are stored; of each its place in the chain is known, its content is not. Needs no key. Throws
 * `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming the log object.
 */
export async function* readTail(
  runtime: Runtime,
  logStore: LogStore,
  database: DatabaseId,
  from: ChainEnd,
  ranges: readonly LogRange[],
): AsyncGenerator<SealedFragment> {
  const wanted = ranges.flatMap((range) =>
    range.fragments
      .filter(([, , , , lastCommit]) => lastCommit > from.commit)
      .map((location) => ({
        key: logStore.nameOf(range.epoch, location[0]),
        epoch: range.epoch,
        term: range.term,
        location,
      })),
  );
  const read = async ({
    key,
    epoch,
    location: [position, offset, length],
  }: (typeof wanted)[number]): Promise<Buffer> => {
    const bytes = await logStore.read(epoch, position, offset, length);
    if (!bytes)
      throw new ByocError('STORE_OBJECT_MISSING', `log object ${key} is missing; database ${database} needs it`);
    if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `log object ${key} is truncated`);
    return bytes;
  };
  const turns = new Turns(runtime, 'background');
  let end = from;
  for (let start = 0; start < wanted.length; start += parallelReads) {
    const batch = wanted.slice(start, start + parallelReads);
    const fragments = await Promise.all(batch.map(read));
    for (const [index, bytes] of fragments.entries()) {
      const { key, term } = batch[index] as (typeof wanted)[number];
      const fragment = nextFragment(key, bytes, await turns.run(hashing(bytes)), end, [database], term);
      end = fragmentEnd(fragment);
      yield fragment;
    }
  }
}
