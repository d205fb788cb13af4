import { readFileSync } from 'node:fs';
import { isGone } from './process-tree.js';

/** Linux counts CPU time for user space in hundredths of a second on every architecture that Node.js runs on. */
const ticksPerSecond = 100;

/** User and system time in seconds, from the content of `/proc/<pid>/stat`. */
export function cpuSecondsOfStat(stat: string): number {
  // The name stands in parentheses and may hold anything, so count from behind it: state is the first field there.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** CPU time of these processes together, in seconds; one that has ended counts nothing. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    try {
      return sum + cpuSecondsOfStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    } catch (error) {
      if (isGone(error)) return sum;
      throw error;
    }
  }, 0);
}

/** CPU time, in seconds, of the children of a process that have ended, and of theirs. */
export function cpuSecondsOfEnded(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
}
