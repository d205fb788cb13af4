/**
 * The first eight bytes of a binary stored object: seven that name its kind, and a digit that is its version. As with stored
 * JSON, a version that this release does not know is told from damage.
 */
import { ByocError } from '../errors/catalogue.js';

const kindBytes = 7;

/**
 * What is wrong with an object that starts with none of `known`: `STORE_FORMAT_UNKNOWN` when it is another version of one of
 * these kinds, else `STORE_OBJECT_CORRUPT` with the sentence `otherwise`.
 */
export function foreignStart(key: string, bytes: Buffer, known: readonly Buffer[], otherwise: string): ByocError {
  const start = bytes.toString('latin1', 0, kindBytes + 1);
  const names = known.map((magic) => magic.toString('latin1'));
  const isOtherVersion = names.some((name) => name.slice(0, kindBytes) === start.slice(0, kindBytes));
  if (isOtherVersion && !names.includes(start) && /^[0-9]$/.test(start.slice(kindBytes))) {
    return new ByocError('STORE_FORMAT_UNKNOWN', `object ${key} has format ${start}, expected ${names.join(' or ')}`);
  }
  return new ByocError('STORE_OBJECT_CORRUPT', otherwise);
}
