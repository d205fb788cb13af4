import type { Runtime } from '../runtime.js';

const firstDelayMs = 20;
const maxDelayMs = 1_000;

/** A delay before attempt `attempt` (from 1), milliseconds: doubled each time, anywhere below it, so that clients spread. */
export function jitteredDelayMs(runtime: Pick<Runtime, 'randomFraction'>, attempt: number): number {
  return Math.min(firstDelayMs * 2 ** (attempt - 1), maxDelayMs) * runtime.randomFraction();
}
