import type { ObjectStore } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { readWithRetry } from '../conditional-write.js';

/** The positions, beyond 0, of the objects whose name is `prefix` and a position. Throws `STORE_UNAVAILABLE`. */
export async function listPositions(runtime: Runtime, store: ObjectStore, prefix: string): Promise<number[]> {
  const positions: number[] = [];
  let after: string | undefined;
  do {
    const options = after === undefined ? {} : { after };
    const page = await readWithRetry(runtime, prefix, () => store.list(prefix, options));
    positions.push(...page.keys.map((key) => Number(key.slice(prefix.length))));
    after = page.next;
  } while (after !== undefined);
  return positions.filter((position) => position > 0);
}
