import { readFileSync } from 'node:fs';

/** Memory that is a process's own, in bytes (Linux). */
export function anonymousBytes(pid: number): number {
  return Number(/^RssAnon:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

/** The processes that a process started, and those that they started (Linux). */
export function descendants(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const children = text === '' ? [] : text.split(' ').map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** The largest total of the own memory of processes while `work` runs, looked at every 50 ms, beyond that at its beginning. */
export async function memoryGrowth(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const total = (): number => pids.reduce((sum, pid) => sum + anonymousBytes(pid), 0);
  const before = total();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, total())), 50);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, total()) - before;
}
