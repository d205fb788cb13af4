import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Operation } from './workload.js';

export interface ToEngineAlone {
  readonly directory: string;
  readonly operation: Operation;
  readonly databases: number;
  readonly measureMs: number;
}

export interface FromEngineAlone {
  readonly perSecond: number;
}

/** The engine without a server around it, in a process of its own. */
export class EngineAlone {
  readonly #child: ChildProcess;

  /** `directory` gets its database files. */
  constructor(private readonly directory: string) {
    this.#child = fork(fileURLToPath(new URL('engine-alone-process.js', import.meta.url)));
  }

  /** Runs one operation again and again for a time; returns how many a second. */
  async run(operation: Operation, databases: number, measureMs: number): Promise<number> {
    this.#child.send({ directory: this.directory, operation, databases, measureMs } satisfies ToEngineAlone);
    const [{ perSecond }] = (await once(this.#child, 'message')) as [FromEngineAlone];
    return perSecond;
  }

  stop(): void {
    this.#child.disconnect();
  }
}
