import { LocalSystem, type LocalAccess, type LocalSystemOptions } from './local-system.js';

/** A running local system and how to reach it. */
export interface RunningLocalSystem extends LocalAccess {
  /** Process ids of the parts that run now; a part that died has another one when it runs again. */
  processes(): LocalSystem['processes'];
  /** Stops the control plane, then the data node once it has drained. */
  stop(): Promise<void>;
}

/**
 * Starts a data node and a control plane on this machine and resolves when both serve. Throws `DATA_DIRECTORY_IN_USE`
 * and `CHILD_NOT_STARTED`; then nothing is left running.
 */
export async function startLocal(options: LocalSystemOptions): Promise<RunningLocalSystem> {
  const system = new LocalSystem(options);
  const access = await system.start();
  return { ...access, processes: () => system.processes, stop: async () => system.stop() };
}
