/** The engine pool of one simulated node: a few model engine processes, replaced a moment after they end. */
import type { EnginePlace, Engines } from '@turso-byoc/data-plane/engine/pool/engines.js';
import type { DatabaseId } from '@turso-byoc/data-plane/identity.js';
import type { Machine } from '../world/machine.js';
import type { Random } from '../world/random.js';
import type { World } from '../world/world.js';
import { ModelProcess, type EngineObserver } from './model-process.js';

export interface ModelEnginesOptions {
  readonly world: World;
  readonly machine: Machine;
  readonly processes: number;
  readonly statementDeadlineMs: number;
  readonly observer: EngineObserver;
}

export class ModelEngines implements Engines {
  readonly #options: ModelEnginesOptions;
  readonly #random: Random;
  #processes: ModelProcess[] = [];
  #waiting: (() => void)[] = [];
  #number = 0;
  #lastHandle = 0;

  constructor(options: ModelEnginesOptions) {
    this.#options = options;
    this.#random = options.world.random.fork();
    for (let index = 0; index < options.processes; index++) this.#start();
  }

  async place(id: DatabaseId): Promise<ModelProcess> {
    for (;;) {
      const holder = this.#processes.find((process) => process.holds(id));
      if (holder) return holder;
      if (this.#processes.length > 0) return this.#random.pick(this.#processes);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Harder than the real pool is: nothing that is open in it is waited for. */
  recycle(process: EnginePlace): void {
    if (process instanceof ModelProcess) process.kill('stopped');
  }

  /** The model looks into no files: nothing in the simulation uploads one. */
  async borrow(): Promise<never> {
    throw new Error('the model of the engines checks no files');
  }

  /** Kills one of the processes, if one runs. */
  killOne(): void {
    if (this.#processes.length > 0) this.#random.pick(this.#processes).kill('killed');
  }

  /** Kills the process that a database is open in, if it is in one. */
  killHolderOf(id: DatabaseId): void {
    this.#processes.find((process) => process.holds(id))?.kill('killed');
  }

  #start(): void {
    const { world, machine, statementDeadlineMs, observer } = this.#options;
    const process: ModelProcess = new ModelProcess({
      world,
      machine,
      name: `${machine.name}/e${this.#number++}`,
      statementDeadlineMs,
      nextHandle: () => ++this.#lastHandle,
      observer,
      onExit: () => {
        this.#processes = this.#processes.filter((other) => other !== process);
        machine.schedule(this.#random.between(20, 200), () => this.#start());
      },
    });
    this.#processes.push(process);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
