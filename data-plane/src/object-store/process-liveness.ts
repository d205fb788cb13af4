import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isSystemError, unlessSystemError } from './file-layer.js';

/** Who this process is, and whether another one is still there. */
export interface ProcessLiveness {
  readonly pid: number;
  /** Process ids mean the same wherever this is the same: one boot of one machine, one process-id namespace. */
  readonly scope: string;
  /** False when no process of this scope has the id. A process that ended and was not yet waited for counts as alive. */
  isAlive(pid: number): boolean;
}

/** The liveness of processes around this one. */
export async function currentProcessLiveness(): Promise<ProcessLiveness> {
  const missing = ['ENOENT', 'EACCES', 'EPERM', 'EINVAL'];
  const parts = [
    hostname(),
    await unlessSystemError(readFile('/proc/sys/kernel/random/boot_id', 'utf8'), ...missing),
    await unlessSystemError(readlink('/proc/self/ns/pid'), ...missing),
  ];
  return {
    pid: process.pid,
    scope: createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16),
    isAlive: (pid) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch (error) {
        if (isSystemError(error, 'ESRCH')) return false;
        if (isSystemError(error, 'EPERM')) return true;
        throw error;
      }
    },
  };
}
