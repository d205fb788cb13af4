import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';

/** The names of all objects below a prefix, or of those behind a name, in order, page by page. Throws the errors of the store. */
export async function* listedKeys(
  store: Pick<ObjectStore, 'list'>,
  prefix: string,
  behind?: string,
): AsyncGenerator<string> {
  let after = behind;
  do {
    const page = await store.list(prefix, after === undefined ? {} : { after });
    yield* page.keys;
    after = page.next;
  } while (after !== undefined);
}
