import type { NodeEpoch } from '../identity.js';
import { withRetry } from '../storage/conditional-write.js';
import type { TailStores } from '../storage/tail.js';

/** Removes an entry of a log that nothing needs any more, see `LogStore.remove`. Throws `STORE_UNAVAILABLE`. */
export async function removeEntry(
  { runtime, logStore }: Pick<TailStores, 'runtime' | 'logStore'>,
  epoch: NodeEpoch,
  position: number,
): Promise<void> {
  await withRetry(runtime, `log object ${logStore.nameOf(epoch, position)} could not be deleted`, () =>
    logStore.remove(epoch, position),
  );
}
