import { readFileSync } from 'node:fs';
import { isGone } from './process-tree.js';

/** Memory of one or several processes. Shared pages count in full in `residentBytes` and by their share in the others. */
export interface MemoryUse {
  readonly residentBytes: number;
  readonly proportionalBytes: number;
  /** Pages that no other process has. */
  readonly privateBytes: number;
}

/** From the content of `/proc/<pid>/smaps_rollup`. */
export function memoryOfRollup(rollup: string): MemoryUse {
  const bytes = (field: string): number => {
    const found = new RegExp(`^${field}: *(\\d+) kB$`, 'm').exec(rollup)?.[1];
    if (found === undefined) throw new Error(`the kernel does not tell ${field}`);
    return Number(found) * 1024;
  };
  return {
    residentBytes: bytes('Rss'),
    proportionalBytes: bytes('Pss'),
    privateBytes: bytes('Private_Clean') + bytes('Private_Dirty'),
  };
}

/** Sum over processes; one that has ended counts nothing. Throws when the kernel refuses to tell. */
export function memoryUse(pids: readonly number[]): MemoryUse {
  const total = { residentBytes: 0, proportionalBytes: 0, privateBytes: 0 };
  for (const pid of pids) {
    try {
      const use = memoryOfRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'));
      total.residentBytes += use.residentBytes;
      total.proportionalBytes += use.proportionalBytes;
      total.privateBytes += use.privateBytes;
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return total;
}
