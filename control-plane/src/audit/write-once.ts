import {
  OutcomeUnknownError,
  StoreUnavailableError,
  type ObjectStore,
} from '@turso-byoc/data-plane/object-store/object-store.js';

/**
 * Creates an object that nobody ever replaces. Returns undefined when this call made it, else what is there, which may be what
 * an earlier sending of this call has written. Throws the errors of the store.
 */
export async function writeOnce(store: ObjectStore, key: string, body: Buffer): Promise<Buffer | undefined> {
  let failure: unknown = new StoreUnavailableError(`the object ${key} could not be written`);
  try {
    const result = await store.put(key, body, { ifAbsent: true });
    if (result.won) return undefined;
  } catch (error) {
    // Some servers refuse a second write of a locked object for its lock, and not for its being there.
    if (!(error instanceof OutcomeUnknownError || error instanceof StoreUnavailableError)) throw error;
    failure = error;
  }
  const there = await store.get(key);
  if (there === undefined) throw failure;
  return there.body;
}
