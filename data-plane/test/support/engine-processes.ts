import { readFileSync, readdirSync } from 'node:fs';
import type { DataNode } from './data-node.js';

/** Ids of the engine processes of a node, found by their parent. */
export function engineProcesses(node: Pick<DataNode, 'pid'>): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return new RegExp(`^PPid:\\s*${node.pid}$`, 'm').test(status) && command.includes('engine-process.js');
      } catch {
        return false; // It ended while we looked.
      }
    });
}
