/**
 * A file layer over a real directory that knows what a loss of power could take away.
 *
 * `crash` builds the directory that a machine might find after it lost power: what was not fsynced is there, gone or torn,
 * each entry and each file for itself, which is more than real file systems do and all that POSIX promises.
 */
import { link, mkdir, readFile, writeFile } from 'node:fs/promises';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { types } from 'node:util';
import { nodeFileLayer, type FileLayer, type FileStatus, type OpenFile } from '../src/object-store/file-layer.js';
import type { SeededRandom } from './seeded-random.js';

/** A file or directory, whatever names it has. */
type Node = FileNode | DirectoryNode;

interface FileNode {
  readonly kind: 'file';
  /** A name in the real directory by which the content can be read, kept by a hidden link. */
  readonly shadow: string;
  /** Content at the last fsync; undefined when there was none. */
  durable: Buffer | undefined;
  /** Bytes from the start that were not written since the last fsync. */
  durablePrefix: number;
  dirty: boolean;
}

interface DirectoryNode {
  readonly kind: 'directory';
  /** What each name may stand for after a loss of power: the first is what was fsynced last, the last is current. */
  readonly entries: Map<string, (Node | undefined)[]>;
}

export class ForgetfulFileLayer implements FileLayer {
  readonly #root: string;
  readonly #shadows: string;
  readonly #top: DirectoryNode = { kind: 'directory', entries: new Map() };
  #nextShadow = 0;
  #operations = 0;
  #failAt = Infinity;
  readonly #random: SeededRandom;
  readonly #waiting: { readonly run: () => Promise<void>; readonly isSlow: boolean }[] = [];
  #running = false;
  readonly #open = new Set<OpenFile>();

  private constructor(root: string, shadows: string, random: SeededRandom) {
    this.#random = random;
    this.#root = root;
    this.#shadows = shadows;
  }

  /** A layer over `root`, an existing directory whose present content counts as fsynced; `shadows` is for its own use. */
  static async open(root: string, shadows: string, random: SeededRandom): Promise<ForgetfulFileLayer> {
    await mkdir(shadows);
    const layer = new ForgetfulFileLayer(root, shadows, random);
    await layer.#adopt(root, layer.#top, new Map());
    return layer;
  }

  async #adopt(path: string, into: DirectoryNode, seen: Map<number, FileNode>): Promise<void> {
    for (const name of await nodeFileLayer.names(path)) {
      const child = `${path}/${name}`;
      const stats = statSync(child);
      let node: Node | undefined = seen.get(stats.ino);
      if (stats.isDirectory()) {
        node = { kind: 'directory', entries: new Map() };
        await this.#adopt(child, node, seen);
      } else if (node === undefined) {
        const durable = await readFile(child);
        node = await this.#fileNode(child, durable);
        seen.set(stats.ino, node);
      }
      into.entries.set(name, [node]);
    }
  }

  async #fileNode(path: string, durable: Buffer | undefined): Promise<FileNode> {
    const shadow = `${this.#shadows}/${this.#nextShadow++}`;
    await link(path, shadow);
    return { kind: 'file', shadow, durable, durablePrefix: durable?.length ?? 0, dirty: durable === undefined };
  }

  /** The power goes at the operation after `operations` more: that one fails but has happened, later ones do not happen. */
  losePowerAfter(operations: number): void {
    this.#failAt = this.#operations + operations;
  }

  /**
   * Runs one operation at a time, each time any of those that wait, so that a seed gives one order of many. An fsync
   * takes long, as in life: others overtake it.
   */
  #run<T>(operation: () => Promise<T>, isSlow = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (): Promise<void> => {
        const number = this.#operations++;
        if (number > this.#failAt) {
          reject(powerLoss());
          return;
        }
        try {
          const result = await operation();
          if (number === this.#failAt) throw powerLoss();
          resolve(result);
        } catch (error) {
          reject(types.isNativeError(error) ? error : new Error(String(error), { cause: error }));
        }
      };
      this.#waiting.push({ run, isSlow });
      if (!this.#running) void this.#runWaiting();
    });
  }

  async #runWaiting(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      // Whoever got an answer may first ask for the next thing.
      await setImmediate();
      const quick = this.#waiting.filter((operation) => !operation.isSlow);
      const choice = quick.length > 0 && this.#random.below(8) > 0 ? quick : this.#waiting;
      const [next] = choice.slice(this.#random.below(choice.length));
      if (next === undefined) break;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      await next.run();
    }
    this.#running = false;
  }

  #directory(path: string): DirectoryNode {
    let node: Node | undefined = this.#top;
    for (const name of path.slice(this.#root.length).split('/').filter(Boolean)) {
      node = node?.kind === 'directory' ? node.entries.get(name)?.at(-1) : undefined;
    }
    if (node?.kind !== 'directory') throw new Error(`the model has no directory ${path}`);
    return node;
  }

  #history(path: string): (Node | undefined)[] {
    const { entries } = this.#directory(dirname(path));
    const name = path.slice(dirname(path).length + 1);
    const history = entries.get(name) ?? [undefined];
    entries.set(name, history);
    return history;
  }

  #file(path: string): FileNode {
    const node = this.#history(path).at(-1);
    if (node?.kind !== 'file') throw new Error(`the model has no file ${path}`);
    return node;
  }

  create(path: string): Promise<OpenFile> {
    return this.#run(async () => {
      const file = await nodeFileLayer.create(path);
      const node = await this.#fileNode(path, undefined);
      this.#history(path).push(node);
      return this.#track(file, node);
    });
  }

  openForReading(path: string): Promise<OpenFile> {
    return this.#run(async () => this.#track(await nodeFileLayer.openForReading(path), this.#file(path)));
  }

  openForWriting(path: string): Promise<OpenFile> {
    return this.#run(async () => this.#track(await nodeFileLayer.openForWriting(path), this.#file(path)));
  }

  #track(file: OpenFile, node: FileNode): OpenFile {
    this.#open.add(file);
    return {
      append: (parts) =>
        this.#run(async () => {
          node.dirty = true;
          await file.append(parts);
        }),
      read: (buffer, position) => this.#run(() => file.read(buffer, position)),
      truncate: (sizeBytes) =>
        this.#run(async () => {
          node.dirty = true;
          node.durablePrefix = Math.min(node.durablePrefix, sizeBytes);
          await file.truncate(sizeBytes);
        }),
      status: () => this.#run(async () => withoutShadow(await file.status())),
      sync: () =>
        this.#run(async () => {
          node.durable = await readFile(node.shadow);
          node.durablePrefix = node.durable.length;
          node.dirty = false;
        }, true),
      close: () => {
        this.#open.delete(file);
        return file.close();
      },
    };
  }

  link(existingPath: string, newPath: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.link(existingPath, newPath);
      this.#history(newPath).push(this.#file(existingPath));
    });
  }

  unlink(path: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.unlink(path);
      this.#history(path).push(undefined);
    });
  }

  rename(oldPath: string, newPath: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.rename(oldPath, newPath);
      this.#history(newPath).push(this.#file(oldPath));
      this.#history(oldPath).push(undefined);
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.makeDirectory(path);
      this.#history(path).push({ kind: 'directory', entries: new Map() });
    });
  }

  removeDirectory(path: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.removeDirectory(path);
      this.#history(path).push(undefined);
    });
  }

  status(path: string): Promise<FileStatus> {
    return this.#run(async () => {
      const status = await nodeFileLayer.status(path);
      return this.#history(path).at(-1)?.kind === 'file' ? withoutShadow(status) : status;
    });
  }

  names(directory: string): Promise<string[]> {
    return this.#run(async () => (await nodeFileLayer.names(directory)).sort());
  }

  async *streamNames(directory: string): AsyncIterable<string> {
    yield* await this.names(directory);
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#run(async () => {
      await nodeFileLayer.status(directory);
      for (const history of this.#directory(directory).entries.values()) history.splice(0, history.length - 1);
    }, true);
  }

  /** Builds in the new directory `target` what the machine may find after a loss of power now. */
  async crash(target: string): Promise<void> {
    // An open that lost the power on its way back had nobody to close it.
    for (const file of this.#open) await file.close();
    this.#open.clear();
    const written = new Map<FileNode, string>();
    const build = async (directory: DirectoryNode, path: string): Promise<void> => {
      await mkdir(path, { mode: 0o700 });
      for (const [name, history] of directory.entries) {
        const node = history[this.#random.below(history.length)];
        const child = `${path}/${name}`;
        if (node === undefined) continue;
        if (node.kind === 'directory') {
          await build(node, child);
          continue;
        }
        const twin = written.get(node);
        if (twin === undefined) await writeFile(child, await this.#torn(node), { mode: 0o600 });
        else await link(twin, child);
        written.set(node, child);
      }
    };
    await build(this.#top, target);
  }

  async #torn(node: FileNode): Promise<Buffer> {
    const below = (bound: number): number => this.#random.below(bound);
    const durable = node.durable ?? Buffer.alloc(0);
    if (!node.dirty) return durable;
    const current = await readFile(node.shadow);
    const whole = below(2) === 0 ? durable : current;
    const kept = node.durablePrefix + below(Math.max(0, whole.length - node.durablePrefix) + 1);
    switch (below(3)) {
      case 0:
        return whole;
      case 1:
        return whole.subarray(0, kept);
      default:
        return Buffer.concat([whole.subarray(0, kept), Buffer.alloc(Math.max(0, whole.length - kept))]);
    }
  }
}

function powerLoss(): Error {
  return Object.assign(new Error('EIO: the power is gone'), { code: 'EIO', errno: -5, syscall: 'power' });
}

/** The link count without the hidden name that the model keeps. */
function withoutShadow(status: FileStatus): FileStatus {
  return { ...status, links: status.links - 1 };
}
