import type { ObjectStore } from '../src/object-store/object-store.js';

/** A store as it is, but for some of its operations. */
export function alteredStore(store: ObjectStore, operations: Partial<ObjectStore>): ObjectStore {
  return {
    get: async (key) => store.get(key),
    getRange: async (key, start, length) => store.getRange(key, start, length),
    put: async (key, body, condition) => store.put(key, body, condition),
    delete: async (key) => store.delete(key),
    list: async (prefix, options) => store.list(prefix, options),
    ...operations,
  };
}
