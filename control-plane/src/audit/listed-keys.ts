import type { ObjectStore } from '@turso-byoc/data-plane/object-store/object-store.js';

/** The names of all objects below a prefix, in order, page by page. Throws the errors of the store. */
export async function* listedKeys(store: Pick<ObjectStore, 'list'>, prefix: string): AsyncGenerator<string> {
  let after: string | undefined;
  do {
    const page = await store.list(prefix, after === undefined ? {} : { after });
    yield* page.keys;
    after = page.next;
  } while (after !== undefined);
}
