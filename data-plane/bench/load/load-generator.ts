import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cpuSeconds } from '../processes/cpu-time.js';
import type { FromLoadProcess, LoadPlan, LoadResult, ToLoadProcess } from './load-plan.js';

/** What was measured while the load ran, and the CPU time of each group of processes within the same time. */
export interface ObservedLoad<Group extends string> {
  readonly result: LoadResult;
  readonly perSecond: number;
  /** Average number of cores in use. */
  readonly cores: Readonly<Record<Group | 'generator', number>>;
}

/** The load generator's process. One plan at a time. */
export class LoadGenerator {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('load-process.js', import.meta.url)), { serialization: 'advanced' });
  }

  /**
   * Carries out a plan while it watches the processes of each group. Throws `Error` when a request was not answered with
   * a success: a figure about failures is none.
   */
  async run<Group extends string>(
    plan: LoadPlan,
    watched: Readonly<Record<Group, () => number[]>>,
  ): Promise<ObservedLoad<Group>> {
    const groups = Object.entries(watched) as [Group, () => number[]][];
    const snapshot = (): Map<Group, number> => new Map(groups.map(([group, pids]) => [group, cpuSeconds(pids())]));
    let before = new Map<Group, number>();
    let after = new Map<Group, number>();
    const result = await new Promise<LoadResult>((resolve, reject) => {
      const settle = (): void => {
        this.#child.off('message', onMessage).off('exit', onExit);
      };
      const onExit = (): void => {
        settle();
        reject(new Error('the load generator ended'));
      };
      const onMessage = (message: FromLoadProcess): void => {
        switch (message.type) {
          case 'measuring':
            before = snapshot();
            return;
          case 'measured':
            after = snapshot();
            return;
          case 'done':
            settle();
            {
              resolve(message.result);
              return;
            }
          case 'broken':
            settle();
            {
              reject(new Error(`the load could not be run: ${message.message}`));
              return;
            }
        }
      };
      this.#child.on('message', onMessage).on('exit', onExit);
      this.#child.send({ type: 'run', plan } satisfies ToLoadProcess);
    });
    if (result.failed > 0)
      throw new Error(`${result.failed} requests failed; the first: ${String(result.firstFailure)}`);
    const seconds = result.elapsedMs / 1000;
    const cores = { generator: result.generatorCpuMs / result.elapsedMs } as Record<Group | 'generator', number>;
    for (const [group] of groups) cores[group] = ((after.get(group) ?? 0) - (before.get(group) ?? 0)) / seconds;
    return { result, perSecond: result.completed / seconds, cores };
  }

  stop(): void {
    this.#child.disconnect();
  }
}
