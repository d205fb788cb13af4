/**
 * Reads the fragments that follow a generation, from the logs of one or more epochs, in commit order. A gap, a fragment
 * of another database or term, or one that does not name its predecessor is an error: a database is restored to exactly
 * its last acknowledged state or not at all.
 */
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseId, NodeEpoch } from '../identity.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { Turns } from '../turns.js';
import { readWithRetry } from './conditional-write.js';
import { decodeFragmentHeader } from './fragment.js';
import { fragmentEnd, nextFragment, type ChainStart, type SealedFragment } from './fragment-chain.js';
import { packOf, type FragmentLocation, type LogRange } from './log-location.js';
import type { LogStore } from './log-store/log-store.js';
import { hashing } from './long-buffers.js';
import { packName } from './object-names.js';
import { fragmentsOfRun } from './pack.js';

/** Where logged fragments lie: in entries of a log, or in packs, which are in the data store. */
export interface TailStores {
  readonly runtime: Runtime;
  readonly dataStore: ObjectStore;
  readonly logStore: LogStore;
}

/** Read at once: so many locations, or so many bytes if that is less; one location always. */
const parallelReads = 64;
const parallelBytes = 16 * 2 ** 20;

interface Wanted {
  readonly epoch: NodeEpoch;
  readonly term: number;
  readonly location: FragmentLocation;
}

/**
 * The fragments as they are stored; of each its place in the chain is known, its content is not. Needs no key. Throws
 * `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming the log object or pack.
 */
export async function* readTail(
  stores: TailStores,
  database: DatabaseId,
  from: ChainStart,
  ranges: readonly LogRange[],
): AsyncGenerator<SealedFragment> {
  const wanted = ranges.flatMap(({ epoch, term, fragments }) =>
    fragments
      .filter(([, , , , lastCommit]) => lastCommit > from.commit)
      .map((location): Wanted => ({ epoch, term, location })),
  );
  const turns = new Turns(stores.runtime, 'background');
  let end: ChainStart = from;
  for (const batch of batches(wanted)) {
    const found = await Promise.all(batch.map(({ epoch, location }) => readContainer(stores, epoch, location)));
    for (const [index, { epoch, term, location }] of batch.entries()) {
      const key = containerName(stores, epoch, location);
      const bytes = found[index] as Buffer;
      const isPacked = packOf(location) !== undefined;
      for (const fragment of isPacked ? fragmentsOfRun(key, bytes) : [bytes]) {
        // A run may begin with what is folded in, or with what the location before it holds as well.
        if (isPacked && decodeFragmentHeader(key, fragment).lastCommit <= end.commit) continue;
        const next = nextFragment(key, fragment, await turns.run(hashing(fragment)), end, [database], term);
        end = fragmentEnd(next);
        yield next;
      }
      if (end.commit < location[4]) {
        throw new ByocError('STORE_OBJECT_CORRUPT', `${key} ends at commit ${end.commit}, before ${location[4]}`);
      }
    }
  }
}

function* batches(wanted: readonly Wanted[]): Generator<readonly Wanted[]> {
  for (let start = 0, end = 0; start < wanted.length; start = end) {
    let bytes = 0;
    do bytes += wanted[end++]?.location[2] ?? 0;
    while (end < wanted.length && end - start < parallelReads && bytes < parallelBytes);
    yield wanted.slice(start, end);
  }
}

/** Names the object that a location names to a reader of messages. */
export function containerName({ logStore }: TailStores, epoch: NodeEpoch, location: FragmentLocation): string {
  const pack = packOf(location);
  return pack === undefined ? logStore.nameOf(epoch, location[0]) : packName(epoch, pack);
}

/** The bytes that a location names. Throws `STORE_OBJECT_MISSING` or `STORE_OBJECT_CORRUPT`, naming the log object or pack. */
export async function readContainer(stores: TailStores, epoch: NodeEpoch, location: FragmentLocation): Promise<Buffer> {
  const { runtime, dataStore, logStore } = stores;
  const [place, offset, length] = location;
  const key = containerName(stores, epoch, location);
  const isPacked = packOf(location) !== undefined;
  const bytes = await (isPacked
    ? readWithRetry(runtime, key, () => dataStore.getRange(key, offset, length))
    : logStore.read(epoch, place, offset, length));
  const what = isPacked ? `pack ${key}` : `log object ${key}`;
  if (!bytes) throw new ByocError('STORE_OBJECT_MISSING', `${what} is missing`);
  if (bytes.length !== length) throw new ByocError('STORE_OBJECT_CORRUPT', `${what} is truncated`);
  return bytes;
}
