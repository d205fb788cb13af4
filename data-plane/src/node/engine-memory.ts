import { totalmem } from 'node:os';

const mebibyte = 2 ** 20;
/** What an engine process needs for ordinary work: its heap, page caches, an answer that is being made. */
const leastMiB = 256;
/** The rest is for the I/O process and what the system itself takes. */
const partForEngines = 0.75;

/**
 * What each engine process may have to itself, in MiB, when nobody says it: so much that all of one engine together, and one more,
 * fit into the node's memory. `nodeBytes`: memory of the machine, or of the container.
 */
export function defaultEngineMemoryMiB(engineProcesses: number, nodeBytes: number = memoryOfNode()): number {
  return Math.max(leastMiB, Math.floor((nodeBytes * partForEngines) / mebibyte / (engineProcesses + 1)));
}

/** Of the container, where its memory is limited; otherwise of the machine. */
function memoryOfNode(): number {
  const constrained = process.constrainedMemory() as number | undefined;
  return constrained === undefined || constrained === 0 ? totalmem() : Math.min(constrained, totalmem());
}
