/** What a node takes of its machine at one moment, with all the processes below it. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { memoryUse } from '@turso-byoc/data-plane/bench/processes/memory.js';
import { descendants, isGone } from '@turso-byoc/data-plane/bench/processes/process-tree.js';
import { isSystemError } from '@turso-byoc/data-plane/object-store/file-layer.js';
import type { DataNode } from '../support/data-node.js';

export interface NodeSample {
  readonly memoryBytes: number;
  readonly descriptors: number;
  /** The store that it is on, and its cache. */
  readonly diskBytes: number;
}

export function sampleNode(node: DataNode): NodeSample {
  const pids = [node.pid, ...descendants(node.pid)];
  return {
    memoryBytes: memoryUse(pids).privateBytes,
    descriptors: pids.reduce((sum, pid) => sum + descriptorsOf(pid), 0),
    diskBytes: bytesBelow(node.storeDirectory) + bytesBelow(node.cacheDirectory),
  };
}

function descriptorsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const entry of readdirOrNone(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += bytesBelow(path);
    else if (entry.isFile()) bytes += sizeOrZero(path);
  }
  return bytes;
}

// Files and directories come and go while they are counted.
function readdirOrNone(directory: string): ReturnType<typeof readEntries> {
  try {
    return readEntries(directory);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

const readEntries = (directory: string) => readdirSync(directory, { withFileTypes: true });

function sizeOrZero(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 0;
    throw error;
  }
}
