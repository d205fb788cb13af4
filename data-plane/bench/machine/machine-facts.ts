import { execFile } from 'node:child_process';
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { promisify } from 'node:util';
import { isSystemError } from '@turso-byoc/data-plane/object-store/file-layer.js';
import type { Commit, Machine } from '../report/report.js';
import { percentile } from '../statistics.js';
import { fsyncLatenciesMs } from './fsync-latency.js';

const run = promisify(execFile);

/** `statfs` numbers of common file systems. */
const fileSystems = new Map<number, string>([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0x2fc12fc1, 'zfs'],
]);

/** Describes this machine, and the disk under `directory`. */
export async function machineFacts(directory: string): Promise<Machine> {
  const fsyncMs = await fsyncLatenciesMs(directory);
  const { type: fileSystem } = await statfs(directory);
  return {
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    fileSystem: fileSystems.get(fileSystem) ?? `0x${fileSystem.toString(16)}`,
    fsyncP50Ms: percentile(fsyncMs, 0.5),
    fsyncP99Ms: percentile(fsyncMs, 0.99),
    hugePages: await hugePages(),
  };
}

async function hugePages(): Promise<string> {
  try {
    const modes = await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8');
    return /\[(\w+)\]/.exec(modes)?.[1] ?? 'unknown';
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'unavailable';
    throw error;
  }
}

/** The commit that `directory` is a checkout of. Outside of a repository, or without git, the hash is `unknown`. */
export async function checkedOutCommit(directory: string): Promise<Commit> {
  try {
    const { stdout: hash } = await run('git', ['rev-parse', 'HEAD'], { cwd: directory });
    const { stdout: changes } = await run('git', ['status', '--porcelain'], { cwd: directory });
    return { hash: hash.trim(), dirty: changes.trim() !== '' };
  } catch (error) {
    process.stderr.write(`the commit is not known: ${error instanceof Error ? error.message : String(error)}\n`);
    return { hash: 'unknown', dirty: true };
  }
}
