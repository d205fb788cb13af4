import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { conditionalWrite } from '@turso-byoc/data-plane/storage/conditional-write.js';

/**
 * Creates an object that nobody ever replaces; returns undefined then, and else what is there. Looks first: some servers answer
 * a second write of a locked object with "denied". Throws the errors of the store.
 */
export async function createOrRead(store: ObjectStore, key: string, body: Buffer): Promise<Buffer | undefined> {
  const there = await store.get(key);
  if (there !== undefined) return there.body;
  const written = await conditionalWrite(systemRuntime, store, key, body, { ifAbsent: true });
  return written.won ? undefined : written.current?.body;
}
