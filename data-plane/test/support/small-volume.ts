/** A file system of a few megabytes, to be filled up. Needs the right to mount one. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const filler = /^filler-/;

export class SmallVolume {
  readonly path: string;
  #fillers = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** Throws what `mount` says when this user may not mount. */
  static mount(sizeBytes: number): SmallVolume {
    const path = mkdtempSync(join(tmpdir(), 'turso-byoc-volume-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'none', path], { stdio: 'pipe' });
    } catch (error) {
      rmSync(path, { recursive: true });
      throw error;
    }
    chmodSync(path, 0o755);
    return new SmallVolume(path);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Takes all space but `restBytes`. */
  fill(restBytes: number): void {
    const takenBytes = this.freeBytes - restBytes;
    if (takenBytes <= 0) return;
    try {
      writeFileSync(join(this.path, `filler-${this.#fillers++}`), Buffer.alloc(takenBytes));
    } catch (error) {
      // Somebody else took some of it meanwhile: it is as full as it gets.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  /** Gives the space back that `fill` took. */
  free(): void {
    for (const name of readdirSync(this.path)) if (filler.test(name)) rmSync(join(this.path, name));
  }

  unmount(): void {
    execFileSync('umount', ['-l', this.path], { stdio: 'pipe' });
    rmSync(this.path, { recursive: true });
  }
}
