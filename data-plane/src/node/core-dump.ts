import { writeFileSync } from 'node:fs';

/**
 * Keeps the memory of this process, and of those that it starts from now on, out of core dumps: data keys lie in it.
 * Linux only; elsewhere the limit of the size has to be set outside. Returns what prevented it, if anything did.
 */
export function keepOutOfCoreDumps(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    // A mask of the kinds of memory that are written (core(5)).
    writeFileSync('/proc/self/coredump_filter', '0');
    return undefined;
  } catch (error) {
    return String(error);
  }
}
