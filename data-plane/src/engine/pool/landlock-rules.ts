/**
 * Landlock (Linux 5.13 and later): the file system that an engine process sees, chosen by us instead of by file
 * modes. It needs no privilege, and it also keeps the process from tracing or signalling processes outside and from
 * TCP, so it separates engine processes even where all of them run as the same user.
 */
import { existsSync, statSync } from 'node:fs';

const execute = 1 << 0;
const writeFile = 1 << 1;
const readFile = 1 << 2;
const readDirectory = 1 << 3;
const removeDirectory = 1 << 4;
const removeFile = 1 << 5;
const makeDirectory = 1 << 7;
const makeRegular = 1 << 8;
const truncate = 1 << 14;

const rightsOfFiles = execute | writeFile | readFile | truncate;
/** Number of file system rights that each version of the interface knows, by version (index 0 is unused). */
const rightsByVersion = [0, 13, 14, 15, 15, 16];

export interface LandlockRule {
  readonly path: string;
  readonly rights: number;
}

export interface LandlockRuleset {
  /** Everything handled is denied unless a rule grants it. */
  readonly fileRights: number;
  readonly networkRights: number;
  readonly scopes: number;
  /** Bytes of `struct landlock_ruleset_attr` that the kernel's version of the interface knows. */
  readonly attributeBytes: number;
  readonly rules: readonly LandlockRule[];
}

export interface LandlockPaths {
  /** The program that the process runs: may be executed. */
  readonly program: string;
  /** The application's code and libraries: may be read. */
  readonly readable: readonly string[];
  /** The process's own directory: may be changed, but without links, sockets and devices. */
  readonly writable: string;
}

/** What Linux tells of the process itself; Node.js measures its memory there. The launcher keeps it open for the rule to last. */
export const ownProcess = '/proc/self';

/** Where shared libraries, the ELF interpreter and harmless system-wide settings live. */
const systemLibraries = ['/lib', '/lib64', '/usr/lib', '/usr/lib64', '/usr/local/lib'];
const systemReadable = [
  '/etc/ld.so.cache',
  '/etc/ssl/openssl.cnf',
  '/proc/cpuinfo',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/sys/vm/overcommit_memory',
  ownProcess,
  '/sys/fs/cgroup',
  '/sys/devices/system/cpu',
  '/usr/bin/ldd',
];
const systemDevices = ['/dev/null', '/dev/zero', '/dev/urandom', '/dev/random'];

/**
 * What an engine process may do with files under version `abi` of Landlock. Paths that do not exist are left out. Of
 * `/proc` it sees only itself: Landlock withholds the permission to trace other processes, but not what Linux shows
 * of them to a process of the same user, such as their environment.
 */
export function landlockRuleset(abi: number, paths: LandlockPaths): LandlockRuleset {
  const rights = rightsByVersion[Math.min(abi, rightsByVersion.length - 1)] ?? 0;
  const fileRights = 2 ** rights - 1;
  const rules: LandlockRule[] = [];
  const grant = (path: string, wanted: number): void => {
    if (!existsSync(path)) return;
    const known = wanted & fileRights;
    rules.push({ path, rights: statSync(path).isDirectory() ? known : known & rightsOfFiles });
  };
  grant(paths.program, execute | readFile);
  // Execution here is for the ELF interpreter, which the kernel opens like a program.
  for (const path of systemLibraries) grant(path, execute | readFile | readDirectory);
  for (const path of systemReadable) grant(path, readFile | readDirectory);
  for (const path of systemDevices) grant(path, readFile | writeFile);
  for (const path of paths.readable) grant(path, readFile | readDirectory);
  grant(
    paths.writable,
    readFile | writeFile | readDirectory | removeDirectory | removeFile | makeDirectory | makeRegular | truncate,
  );
  return {
    fileRights,
    // bind and connect over TCP; abstract Unix sockets and signals.
    networkRights: abi >= 4 ? 0b11 : 0,
    scopes: abi >= 6 ? 0b11 : 0,
    attributeBytes: abi >= 6 ? 24 : abi >= 4 ? 16 : 8,
    rules,
  };
}
