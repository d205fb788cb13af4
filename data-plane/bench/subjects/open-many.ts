import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { EngineName } from '@turso-byoc/data-plane/identity.js';
import { memoryUse, type MemoryUse } from '../processes/memory.js';

export interface OpenManyOptions {
  readonly engine: EngineName;
  /** Created; gets the database files. */
  readonly directory: string;
  readonly databases: number;
  /** Without the kernel's transparent huge pages, as engine processes of the data node run where it can arrange that. */
  readonly withoutHugePages: boolean;
}

/** Opened before the first look, so that what the engine takes once does not count. */
const warmUpDatabases = 10;

/** PR_SET_THP_DISABLE is 41; the number of the system call depends on the architecture. */
const prctl: Readonly<Partial<Record<NodeJS.Architecture, number>>> = { x64: 157, arm64: 167 };

/**
 * What one open database takes, with the engine alone in a process. Undefined where huge pages cannot be switched off
 * for one process from here.
 */
export async function memoryPerOpenDatabase(options: OpenManyOptions): Promise<MemoryUse | undefined> {
  const { engine, directory, databases, withoutHugePages } = options;
  const command = [
    process.execPath,
    fileURLToPath(new URL('open-many-process.js', import.meta.url)),
    engine,
    directory,
  ];
  if (withoutHugePages) {
    const call = prctl[process.arch];
    if (process.platform !== 'linux' || call === undefined) return undefined;
    command.unshift('perl', '-e', `syscall(${call}, 41, 1, 0, 0, 0) == 0 or die $!; exec @ARGV`);
  }
  await mkdir(directory);
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const open = async (count: number): Promise<MemoryUse> => {
      child.send(count);
      await once(child, 'message');
      return memoryUse([child.pid ?? 0]);
    };
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error('no engine'))),
    ]);
    const before = await open(warmUpDatabases);
    const after = await open(warmUpDatabases + databases);
    return memoryPerDatabase(before, after, databases);
  } finally {
    child.removeAllListeners('exit');
    if (child.connected) child.disconnect();
  }
}

export function memoryPerDatabase(before: MemoryUse, after: MemoryUse, databases: number): MemoryUse {
  return {
    residentBytes: (after.residentBytes - before.residentBytes) / databases,
    proportionalBytes: (after.proportionalBytes - before.proportionalBytes) / databases,
    privateBytes: (after.privateBytes - before.privateBytes) / databases,
  };
}
