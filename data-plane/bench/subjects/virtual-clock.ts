import { createHash } from 'node:crypto';
import type { Runtime } from '@turso-byoc/data-plane/runtime.js';

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** Time that passes as fast as the work between two timers is done; the same run every time. */
export class VirtualClock implements Runtime {
  #nowMs = 0;
  #drawn = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return Math.floor(1_700_000_000_000 + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.schedule(ms, resolve));
  }

  schedule(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  randomBytes(count: number): Buffer {
    const blocks: Buffer[] = [];
    for (let length = 0; length < count; length += 32) {
      blocks.push(createHash('sha256').update(String(this.#drawn++)).digest());
    }
    return Buffer.concat(blocks).subarray(0, count);
  }

  randomFraction(): number {
    return this.randomBytes(4).readUInt32LE() / 2 ** 32;
  }

  /** Lets time pass until `work` has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    const state = { hasEnded: false };
    const end = (): void => {
      state.hasEnded = true;
    };
    work.then(end, end);
    for (;;) {
      // What is ready may take several turns of the event loop: long computations take one each.
      for (let turn = 0; turn < 3 && !state.hasEnded; turn++) await this.turn();
      if (state.hasEnded) return work;
      let next: Timer | undefined;
      for (const timer of this.#timers) if (!next || timer.atMs < next.atMs) next = timer;
      if (!next) continue;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
    }
  }
}
