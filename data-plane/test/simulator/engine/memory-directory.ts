import { ByocError } from '@turso-byoc/data-plane/errors/catalogue.js';
import type { EnginePlace } from '@turso-byoc/data-plane/engine/pool/engines.js';
import { MemoryFile } from './memory-file.js';

/** The working directory of a model engine process. */
export class MemoryDirectory implements EnginePlaceDirectory {
  readonly #files = new Map<string, MemoryFile>();
  readonly #directories = new Set<string>();
  #isRemoved = false;

  file(path: string): MemoryFile | undefined {
    return this.#files.get(path);
  }

  async createDatabaseDirectory(name: string): Promise<{ readonly path: string }> {
    this.#assertThere();
    const path = `/${name}`;
    if (this.#directories.has(path)) throw new Error(`directory ${path} exists`);
    this.#directories.add(path);
    return { path };
  }

  async createDatabaseFile(path: string): Promise<MemoryFile> {
    this.#assertThere();
    if (this.#files.has(path)) throw new Error(`file ${path} exists`);
    const file = new MemoryFile();
    this.#files.set(path, file);
    return file;
  }

  async handOver(): Promise<void> {
    this.#assertThere();
  }

  async removeDatabaseDirectory(name: string): Promise<void> {
    this.#directories.delete(`/${name}`);
    this.#files.delete(`/${name}/db`);
  }

  /** Removes everything: the process has ended. */
  remove(): void {
    this.#isRemoved = true;
    this.#files.clear();
    this.#directories.clear();
  }

  #assertThere(): void {
    if (this.#isRemoved) throw new ByocError('ENGINE_RESTARTED', 'the engine process has ended');
  }
}

type EnginePlaceDirectory = EnginePlace['directory'];
