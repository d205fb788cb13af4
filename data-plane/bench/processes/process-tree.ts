import { isSystemError } from '@turso-byoc/data-plane/object-store/file-layer.js';
import { readdirSync, readFileSync } from 'node:fs';

/** True for the error of looking at a process that has ended. */
export function isGone(error: unknown): boolean {
  return isSystemError(error, 'ENOENT', 'ESRCH');
}

/** The processes that `pid` started and that they started in turn, without `pid` itself. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  for (let generation = children.get(pid) ?? []; generation.length > 0;) {
    found.push(...generation);
    generation = generation.flatMap((child) => children.get(child) ?? []);
  }
  return found;
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
