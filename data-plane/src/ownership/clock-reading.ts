import type { Runtime } from '../runtime.js';

/**
 * Both clocks at one moment. The monotonic one may stand still while a machine is suspended, the wall clock may be set
 * back; neither does both.
 */
export interface ClockReading {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function readClocks(runtime: Pick<Runtime, 'monotonicMs' | 'nowMs'>): ClockReading {
  return { monotonicMs: runtime.monotonicMs(), wallMs: runtime.nowMs() };
}

/** Milliseconds since an earlier reading, by the clock that says more: too long never makes a lease look younger. */
export function elapsedMs(runtime: Pick<Runtime, 'monotonicMs' | 'nowMs'>, since: ClockReading): number {
  return Math.max(runtime.monotonicMs() - since.monotonicMs, runtime.nowMs() - since.wallMs);
}
