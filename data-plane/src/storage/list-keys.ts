import type { ObjectStore } from '../object-store/object-store.js';
import type { Runtime } from '../runtime.js';
import { readWithRetry } from './conditional-write.js';

/** Every key that starts with `prefix`, after `begin` if it is given, in ascending order, page by page. Throws `STORE_UNAVAILABLE`. */
export async function* listKeys(
  runtime: Runtime,
  store: Pick<ObjectStore, 'list'>,
  prefix: string,
  begin?: string,
): AsyncGenerator<string> {
  let after = begin;
  do {
    const from = after === undefined ? {} : { after };
    const page = await readWithRetry(runtime, `listing of ${prefix}`, () => store.list(prefix, from));
    yield* page.keys;
    after = page.next;
  } while (after !== undefined);
}
