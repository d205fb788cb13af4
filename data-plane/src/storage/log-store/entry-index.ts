import { ByocError } from '../../errors/catalogue.js';
import { decodeIndex, isSeal } from '../log-object.js';
import type { LogEntry } from './log-store.js';

const firstReadBytes = 16 * 1024;

/**
 * What a stored object is, by as many of its first bytes as that takes; undefined when there is no object.
 *
 * @param read - Reads the first bytes of the object, so many at most.
 *
 * Throws `STORE_OBJECT_CORRUPT` naming `key` when it is neither an entry nor a seal.
 */
export async function lookAt(
  key: string,
  read: (length: number) => Promise<Buffer | undefined>,
): Promise<Pick<LogEntry, 'index'> | 'seal' | undefined> {
  let wanted = firstReadBytes;
  for (;;) {
    const bytes = await read(wanted);
    if (bytes === undefined) return undefined;
    if (isSeal(bytes)) return 'seal';
    const index = decodeIndex(key, bytes);
    if (typeof index !== 'number') return { index };
    if (bytes.length < wanted) throw new ByocError('STORE_OBJECT_CORRUPT', `log object ${key} is truncated`);
    wanted = index;
  }
}
