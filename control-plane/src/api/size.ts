import { ControlPlaneError } from '../errors/catalogue.js';

const units = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 2 ** 10],
  ['mb', 2 ** 20],
  ['gb', 2 ** 30],
  ['tb', 2 ** 40],
]);
/** A database with less could not hold a table. */
const leastBytes = 16 * 4096;

/**
 * Bytes of a size as clients write it: a number, or one with a unit, such as `256mb` (of 1,024 × 1,024 bytes each). Undefined for
 * an empty text and for 0: no limit. Throws `SIZE_INVALID`.
 */
export function parseSize(text: string): number | undefined {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === '' || trimmed === '0') return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)$/.exec(trimmed) ?? [];
  const bytes = Math.floor(Number(digits || Number.NaN) * (units.get(unit) ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes < leastBytes) {
    throw new ControlPlaneError(
      'SIZE_INVALID',
      `"size_limit" is ${JSON.stringify(text.slice(0, 64))}, which is no size of at least ${leastBytes} bytes`,
    );
  }
  return bytes;
}
