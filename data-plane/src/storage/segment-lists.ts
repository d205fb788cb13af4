import type { Sealer } from '../keys/sealing.js';
import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { writeOnce } from './conditional-write.js';
import {
  encodeSegmentList,
  sha256,
  type Generation,
  type SegmentListReference,
  type SegmentReference,
} from './generation.js';
import { segmentListName } from './object-names.js';

/** The generation that segment lists are stored for. */
export interface ListedGeneration {
  readonly runtime: Runtime;
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly term: number;
  readonly number: number;
}

/**
 * What a generation says of its segments, given in lists of `segmentsPerList`: themselves where one list holds them all,
 * else references to objects with them, which are stored. `kept`: the object of an earlier generation that holds the same
 * list, if there is one.
 */
export async function storeSegmentLists(
  { runtime, store, sealer, term, number }: ListedGeneration,
  lists: readonly (readonly SegmentReference[])[],
  kept: (list: number) => SegmentListReference | undefined = () => undefined,
): Promise<Pick<Generation, 'segments' | 'lists'>> {
  const [only, ...more] = lists;
  if (only && more.length === 0) return { segments: only };
  const { database, source } = sealer;
  const references = lists.map(async (segments, list): Promise<SegmentListReference> => {
    const before = kept(list);
    if (before) return before;
    const bytes = encodeSegmentList(segments);
    await writeOnce(runtime, store, segmentListName(database, term, number, list), bytes);
    const digest = sha256(bytes).toString('hex');
    return { ...(source > 0 && { source }), term, generation: number, list, digest };
  });
  return { lists: await Promise.all(references) };
}
