/** What the processes of a local system use, as the kernel counts it. */
import { readdir, readFile } from 'node:fs/promises';
import type { RunningLocalSystem } from '@turso-byoc/control-plane/local/start-local.js';

export interface Usage {
  readonly controlPlane: number;
  readonly dataNode: number;
  /** Of the data node's engine processes together. */
  readonly engines: number;
}

/** Resident memory in MiB. */
export async function residentMiB(local: RunningLocalSystem): Promise<Usage> {
  return ofProcesses(local, async (pid) => {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024);
  });
}

/** Processor time used so far, in milliseconds. */
export async function cpuMs(local: RunningLocalSystem): Promise<Usage> {
  return ofProcesses(local, async (pid) => {
    const fields = await statOf(pid);
    // User and system time, in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  });
}

/** What was used between two looks, divided by `count`. */
export function usedPer(count: number, before: Usage, after: Usage): Usage & { readonly together: number } {
  const per = (process: keyof Usage): number => Math.round(((after[process] - before[process]) * 100) / count) / 100;
  const used = { controlPlane: per('controlPlane'), dataNode: per('dataNode'), engines: per('engines') };
  return { ...used, together: Math.round((used.controlPlane + used.dataNode + used.engines) * 100) / 100 };
}

/** A variable of the environment that a process was started with. */
export async function environmentOf(pid: number, name: string): Promise<string | undefined> {
  const entries = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
  return entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

async function ofProcesses(local: RunningLocalSystem, of: (pid: number) => Promise<number>): Promise<Usage> {
  const { controlPlane, dataNode } = local.processes();
  if (controlPlane === undefined || dataNode === undefined) throw new Error('the local system does not run');
  let engines = 0;
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isSafeInteger(pid)) continue;
    try {
      if (Number((await statOf(pid))[1]) === dataNode) engines += await of(pid);
    } catch (error) {
      // It has ended since the directory was read.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return { controlPlane: await of(controlPlane), dataNode: await of(dataNode), engines };
}

/** The fields of `/proc/<pid>/stat` from the state on. */
async function statOf(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
