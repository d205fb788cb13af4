/**
 * Keeps one engine process within the memory it may take.
 *
 * A single statement can ask the engine for gigabytes within its deadline, and the kernel, when a container has none left, may
 * end the whole container: every tenant of the node. So the node looks at the process while requests are outstanding, and
 * ends it before that.
 */
import { readFileSync } from 'node:fs';
import type { Runtime } from '../../runtime.js';
import { isSystemError } from '../../object-store/file-layer.js';

export interface MemoryWatchOptions {
  readonly limitBytes: number;
  readonly runtime: Pick<Runtime, 'schedule'>;
  /** Memory that the process has to itself, in bytes; undefined where that cannot be known. */
  readonly privateBytes: () => number | undefined;
  /** Called once, with what the process had; the watch has stopped by then. */
  readonly onExcess: (bytes: number) => void;
}

/** An engine can take some 2 MB in a millisecond: that times this may be exceeded. */
const periodMs = 50;

export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
  }

  /** To be called whenever requests become outstanding (true) or none is any more (false). */
  setActive(isActive: boolean): void {
    if (this.#isStopped || isActive === (this.#cancel !== undefined)) return;
    if (isActive) this.#schedule();
    else this.#rest();
  }

  stop(): void {
    this.#isStopped = true;
    this.#rest();
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    this.#cancel = this.#options.runtime.schedule(periodMs, () => this.#look());
  }

  #look(): void {
    const bytes = this.#options.privateBytes();
    if (bytes === undefined || bytes <= this.#options.limitBytes) {
      this.#schedule();
      return;
    }
    this.stop();
    this.#options.onExcess(bytes);
  }
}

/**
 * Memory of a process that no file is behind, as Linux counts it, in bytes. Undefined when the process is gone, and on systems
 * without `/proc`.
 */
export function privateBytesOf(pid: number): number | undefined {
  try {
    const [, kilobytes] = /^RssAnon:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
