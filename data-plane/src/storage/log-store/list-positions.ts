import type { ObjectStore } from '../../object-store/object-store.js';
import type { Runtime } from '../../runtime.js';
import { listKeys } from '../list-keys.js';

/** The positions, beyond 0, of the objects whose name is `prefix` and a position. Throws `STORE_UNAVAILABLE`. */
export async function listPositions(runtime: Runtime, store: ObjectStore, prefix: string): Promise<number[]> {
  const positions: number[] = [];
  for await (const key of listKeys(runtime, store, prefix)) positions.push(Number(key.slice(prefix.length)));
  return positions.filter((position) => position > 0);
}
