import { readFile, rename, writeFile } from 'node:fs/promises';
import { PlaceInvalid } from './place.js';

export type MoveProgress = 'begun' | 'done';

/**
 * Which databases a move has made and finished, in a file: so that it goes on where it was interrupted and never writes into a
 * database that it did not make.
 */
export class MoveState {
  readonly #file: string;
  readonly #between: string;
  readonly #progress: Map<string, MoveProgress>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, between: string, progress: Map<string, MoveProgress>) {
    this.#file = file;
    this.#between = between;
    this.#progress = progress;
  }

  /** `between`: the two places. Throws `PlaceInvalid` for a file of another move. */
  static async open(file: string, between: string): Promise<MoveState> {
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return new MoveState(file, between, new Map());
    }
    const state = JSON.parse(text) as { readonly between: string; readonly databases: Record<string, MoveProgress> };
    if (state.between !== between) {
      throw new PlaceInvalid(`${file} belongs to another move (${state.between}); name another with --state`);
    }
    return new MoveState(file, between, new Map(Object.entries(state.databases)));
  }

  of(name: string): MoveProgress | undefined {
    return this.#progress.get(name);
  }

  async set(name: string, progress: MoveProgress): Promise<void> {
    this.#progress.set(name, progress);
    this.#writing = this.#writing.then(async () => {
      const content = { between: this.#between, databases: Object.fromEntries(this.#progress) };
      await writeFile(`${this.#file}.new`, `${JSON.stringify(content, null, 2)}\n`);
      await rename(`${this.#file}.new`, this.#file);
    });
    return this.#writing;
  }
}
