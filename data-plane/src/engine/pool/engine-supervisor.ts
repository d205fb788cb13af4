import { join } from 'node:path';
import type { DatabaseId, EngineName } from '../../identity.js';
import { EngineDirectory } from './engine-directory.js';
import type { EngineExit } from './engine-exit.js';
import { EngineSlot, type EngineSlotOptions } from './engine-slot.js';
import type { Sandbox } from './sandbox.js';

export interface EngineSupervisorOptions extends Omit<
  EngineSlotOptions,
  'command' | 'directory' | 'onExit' | 'onLogLine'
> {
  readonly sandbox: Sandbox;
  readonly cacheDirectory: string;
  readonly engine: EngineName;
  /** Decides the user that the process runs as; unique within the node. */
  readonly number: number;
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** The process ended, for any reason but `stop`. Its replacement has been started or scheduled by then. */
  readonly onExit: (exit: EngineExit, culprit: DatabaseId | undefined) => void;
}

const firstBackoffMs = 100;
const longestBackoffMs = 10_000;

/**
 * Keeps one engine process running. One that ends is replaced at once; when two in a row end without ever having said
 * anything, starting it is what fails, and the pause before the next attempt doubles each time.
 */
export class EngineSupervisor {
  readonly #options: EngineSupervisorOptions;
  #slot: EngineSlot | undefined;
  #starts = 0;
  #failuresInARow = 0;
  #cancelRestart: (() => void) | undefined;
  #waiting: (() => void)[] = [];
  /** Set when the process is not to be replaced; called when it has ended. */
  #onStopped: (() => void) | undefined;
  #removals: Promise<void> = Promise.resolve();

  constructor(options: EngineSupervisorOptions) {
    this.#options = options;
    this.#start();
  }

  get engine(): EngineName {
    return this.#options.engine;
  }

  get number(): number {
    return this.#options.number;
  }

  /** The slot of the running process; undefined during a pause. */
  get slot(): EngineSlot | undefined {
    return this.#slot;
  }

  /** Resolves when a process runs, or when there will be none any more. */
  async started(): Promise<void> {
    if (this.#slot || this.#onStopped) return;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Ends the process and removes its directory. */
  async stop(graceMs: number): Promise<void> {
    await this.#stopped((slot) => slot.stop(graceMs));
  }

  /** As `stop`, when everything that is in the process has left it, or after `patienceMs`. */
  async retire(patienceMs: number, graceMs: number): Promise<void> {
    await this.#stopped((slot) => slot.retire(patienceMs, graceMs));
  }

  async #stopped(end: (slot: EngineSlot) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      const waitsToo = this.#onStopped;
      this.#onStopped = () => {
        waitsToo?.();
        resolve();
      };
      this.#cancelRestart?.();
      this.#wakeWaiting();
      if (this.#slot) end(this.#slot);
      else resolve();
    });
    await this.#removals;
  }

  #start(): void {
    const { sandbox, cacheDirectory, engine, number, report } = this.#options;
    this.#starts += 1;
    this.#cancelRestart = undefined;
    try {
      const path = join(cacheDirectory, `engine-${number}.${this.#starts}`);
      const directory = EngineDirectory.create(path, sandbox.userOf(number));
      this.#slot = new EngineSlot({
        ...this.#options,
        directory,
        command: sandbox.command(directory, [directory.flightRecordPath, engine]),
        onLogLine: (line) => report('engine process said', { engine, slot: number, line }),
        onExit: (exit, culprit) => this.#ended(directory, exit, culprit),
      });
    } catch (error) {
      // For lack of disk or file descriptors, say; those may come back.
      report('engine process could not be started', { engine, slot: number, error: String(error) });
      this.#failuresInARow += 1;
      this.#scheduleRestart();
      return;
    }
    report('engine process started', { engine, slot: number, pid: this.#slot.pid });
    this.#wakeWaiting();
  }

  #ended(directory: EngineDirectory, exit: EngineExit, culprit: DatabaseId | undefined): void {
    const { engine, number, report, onExit } = this.#options;
    this.#slot = undefined;
    this.#removals = this.#removals.then(async () => {
      try {
        await directory.remove();
      } catch (error) {
        report('engine directory could not be removed', { path: directory.path, error: String(error) });
      }
    });
    if (this.#onStopped) {
      this.#onStopped();
      return;
    }
    report('engine process ended', { engine, slot: number, cause: exit.cause, detail: exit.detail, culprit });
    this.#failuresInARow = exit.served ? 0 : this.#failuresInARow + 1;
    if (this.#failuresInARow <= 1) this.#start();
    else this.#scheduleRestart();
    onExit(exit, culprit);
  }

  #scheduleRestart(): void {
    const pauseMs = Math.min(firstBackoffMs * 2 ** Math.max(0, this.#failuresInARow - 2), longestBackoffMs);
    this.#cancelRestart = this.#options.runtime.schedule(pauseMs, () => this.#start());
  }

  #wakeWaiting(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
