/**
 * Time and randomness. Storage, ownership and gate get them passed in and never reach for the platform's own, so that a
 * simulator can drive them.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TurnQueue, type WorkKind } from './turns.js';

export interface Runtime {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Monotonic clock, milliseconds since some start. */
  monotonicMs(): number;
  sleep(ms: number): Promise<void>;
  /** Calls `run` once after `ms` milliseconds (0 = after the current turn of the event loop) unless the returned function was called before. */
  schedule(ms: number, run: () => void): () => void;
  /**
   * Resolves in a later turn of the event loop, when it is the turn of a computation of this kind to go on: of all that
   * wait, one per turn.
   */
  turn(kind: WorkKind): Promise<void>;
  randomBytes(count: number): Buffer;
  /** Uniform in [0, 1). */
  randomFraction(): number;
}

const turns = new TurnQueue(setImmediate);

export const systemRuntime: Runtime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms) => sleep(ms),
  schedule(ms, run) {
    if (ms <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  turn: async (kind) => turns.take(kind),
  randomBytes: (count) => randomBytes(count),
  randomFraction: () => Math.random(),
};
