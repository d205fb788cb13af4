/**
 * Files on their way into the store. Each open store has a directory of its own under `tmp`, named after its process, so
 * that a later process can tell what was left behind.
 *
 * A temporary file keeps its name until the object it became is durable. So an object file that has a second name may not
 * be durable yet, and whoever takes the second name away must have made it durable first.
 *
 * Removing a file that is still needed would do no harm: the link that publishes it fails and nothing took effect.
 */
import { isSystemError, unlessSystemError, type FileLayer } from './file-layer.js';
import type { ProcessLiveness } from './process-liveness.js';

/** A directory that nothing was written to for so long belongs to nobody, whatever its process id says. */
const abandonedAfterMs = 24 * 60 * 60 * 1000;
const ownerPattern = /^([0-9a-f]{16})-(\d{1,10})-[0-9a-f]{16}$/;

export class TemporaryFiles {
  readonly #files: FileLayer;
  readonly #directory: string;
  #next = 0;

  /** `root` exists; `unique` is 16 hex digits nobody else has. */
  constructor(files: FileLayer, root: string, owner: ProcessLiveness, unique: string) {
    this.#files = files;
    this.#directory = `${root}/${owner.scope}-${owner.pid}-${unique}`;
  }

  /** Writes a new file and makes its content durable; returns its path. Leaves nothing behind when it fails. */
  async write(parts: readonly Uint8Array[]): Promise<string> {
    const path = `${this.#directory}/${this.#next++}`;
    const file = await this.#create(path);
    try {
      try {
        await file.append(parts);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await unlessSystemError(this.#files.unlink(path), 'ENOENT');
      throw error;
    }
    return path;
  }

  async #create(path: string): ReturnType<FileLayer['create']> {
    try {
      return await this.#files.create(path);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
    await unlessSystemError(this.#files.makeDirectory(this.#directory), 'EEXIST');
    return this.#files.create(path);
  }

  async remove(path: string): Promise<void> {
    await unlessSystemError(this.#files.unlink(path), 'ENOENT');
  }

  /** Removes the directory of this store; for a store that is being closed. */
  async close(): Promise<void> {
    await unlessSystemError(this.#files.removeDirectory(this.#directory), 'ENOENT', 'ENOTEMPTY', 'EEXIST');
  }
}

/**
 * Removes what processes that are gone left under `root`. `publish` is called for each file that has another name, before
 * its temporary name goes, and must make that other name durable.
 */
export async function removeAbandoned(
  files: FileLayer,
  root: string,
  liveness: ProcessLiveness,
  nowMs: number,
  publish: (path: string) => Promise<void>,
): Promise<void> {
  for (const owner of await files.names(root)) {
    const directory = `${root}/${owner}`;
    const status = await unlessSystemError(files.status(directory), 'ENOENT');
    if (status === undefined || !isGone(owner, nowMs - status.modifiedAtMs, liveness)) continue;
    for (const name of (await unlessSystemError(files.names(directory), 'ENOENT')) ?? []) {
      const path = `${directory}/${name}`;
      const left = await unlessSystemError(files.status(path), 'ENOENT');
      if (left !== undefined && left.links > 1) await publish(path);
      await unlessSystemError(files.unlink(path), 'ENOENT');
    }
    await unlessSystemError(files.removeDirectory(directory), 'ENOENT', 'ENOTEMPTY', 'EEXIST');
  }
}

function isGone(owner: string, unchangedForMs: number, liveness: ProcessLiveness): boolean {
  const match = ownerPattern.exec(owner);
  if (match === null) return false;
  const [, scope, pid] = match;
  return (scope === liveness.scope && !liveness.isAlive(Number(pid))) || unchangedForMs > abandonedAfterMs;
}
