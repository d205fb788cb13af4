import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { drawLatencyMs, type Latency } from './memory-store.js';

/** A store each of whose requests takes longer by a latency that is drawn anew. */
export function delayedStore(store: ObjectStore, read: Latency, write: Latency): ObjectStore {
  const wait = async (latency: Latency): Promise<void> =>
    systemRuntime.sleep(drawLatencyMs(() => systemRuntime.randomFraction(), latency));
  return {
    get: async (key) => (await wait(read), store.get(key)),
    getRange: async (key, start, length) => (await wait(read), store.getRange(key, start, length)),
    put: async (key, body, condition) => (await wait(write), store.put(key, body, condition)),
    delete: async (key) => (await wait(write), store.delete(key)),
    list: async (prefix, options) => (await wait(read), store.list(prefix, options)),
  };
}
