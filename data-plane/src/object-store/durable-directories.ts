import { dirname } from 'node:path';
import { isSystemError, type FileLayer } from './file-layer.js';

const maxRemembered = 100_000;

/**
 * Makes directory entries durable, with as few fsyncs as possible: everybody who asks for the same directory while an
 * fsync of it runs shares the next one (not the running one, which may have begun before their entry).
 *
 * Directories are never removed by the store, so one whose entry is durable stays so.
 */
export class DurableDirectories {
  readonly #files: FileLayer;
  readonly #syncs = new Map<string, { readonly done: Promise<void>; next?: Promise<void> }>();
  readonly #durable = new Set<string>();

  constructor(files: FileLayer) {
    this.#files = files;
  }

  /** Every entry that `directory` has at the time of the call survives the loss of power once this resolves. */
  sync(directory: string): Promise<void> {
    const running = this.#syncs.get(directory);
    if (running === undefined) return this.#start(directory);
    const start = (): Promise<void> => this.#start(directory);
    running.next ??= running.done.then(start, start);
    return running.next;
  }

  #start(directory: string): Promise<void> {
    const done = this.#files.syncDirectory(directory);
    const entry: { readonly done: Promise<void>; next?: Promise<void> } = { done };
    this.#syncs.set(directory, entry);
    const settled = (): void => {
      if (entry.next === undefined && this.#syncs.get(directory) === entry) this.#syncs.delete(directory);
    };
    done.then(settled, settled);
    return done;
  }

  /**
   * Creates `directory` and its parents up to `root`, which must exist, and makes their entries durable. A directory
   * that is already there is treated the same once in each process: whoever made it may not have come to its fsync.
   */
  async ensure(directory: string, root: string): Promise<void> {
    if (directory === root || this.#durable.has(directory)) return;
    const parent = dirname(directory);
    await this.ensure(parent, root);
    try {
      await this.#files.makeDirectory(directory);
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
    }
    await this.sync(parent);
    if (this.#durable.size >= maxRemembered) this.#durable.clear();
    this.#durable.add(directory);
  }
}
