import type { Runtime } from '@turso-byoc/data-plane/runtime.js';
import { TurnQueue, type WorkKind } from '@turso-byoc/data-plane/turns.js';
import type { Random } from './random.js';
import type { World } from './world.js';

/** What the wall clocks of the world show at its beginning. */
const beginningMs = 1_700_000_000_000;

export interface Clocks {
  /** How far the wall clock is ahead of the world's time. */
  readonly wallAheadMs: number;
  /** How fast both clocks run: 1 is right. */
  readonly rate: number;
}

/**
 * One process on one machine: its clocks, its timers, and whether it runs at all. All that comes to it from outside comes
 * through `deliver`, so that nothing reaches it while it is frozen, and nothing ever after it has died.
 */
export class Machine implements Runtime {
  readonly name: string;
  readonly #world: World;
  readonly #random: Random;
  readonly #rate: number;
  #wallAheadMs: number;
  /** How long the monotonic clock stood still. */
  #suspendedMs = 0;
  #isAlive = true;
  #frozen: { readonly sinceMs: number; readonly stopsMonotonic: boolean } | undefined;
  /** What came while it was frozen: its own timers, and everything else. */
  #dueTimers: (() => void)[] = [];
  #arrived: (() => void)[] = [];
  readonly #onDeath: (() => void)[] = [];
  readonly #turns = new TurnQueue((run) => this.schedule(0, run));

  constructor(world: World, name: string, clocks: Clocks = { wallAheadMs: 0, rate: 1 }) {
    this.#world = world;
    this.#random = world.random.fork();
    this.name = name;
    this.#wallAheadMs = clocks.wallAheadMs;
    this.#rate = clocks.rate;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get frozenForMs(): number {
    return this.#frozen ? this.#world.nowMs - this.#frozen.sinceMs : 0;
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined;
  }

  note(what: string): void {
    this.#world.note(this.name, what);
  }

  nowMs(): number {
    return Math.floor(beginningMs + this.#world.nowMs * this.#rate + this.#wallAheadMs);
  }

  monotonicMs(): number {
    return this.#world.nowMs * this.#rate - this.#suspendedMs;
  }

  async sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.schedule(ms, resolve));
  }

  schedule(ms: number, run: () => void): () => void {
    const dueMs = this.monotonicMs() + Math.max(0, ms);
    let cancel: () => void = () => undefined;
    const arm = (): void => {
      cancel = this.#world.schedule((dueMs - this.monotonicMs()) / this.#rate, due);
    };
    const due = (): void => {
      if (!this.#isAlive) return;
      if (this.#frozen) this.#dueTimers.push(due);
      else if (isCancelled) return;
      // The monotonic clock stood still meanwhile.
      else if (this.monotonicMs() < dueMs - 1e-6) arm();
      else run();
    };
    let isCancelled = false;
    arm();
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  async turn(kind: WorkKind): Promise<void> {
    await this.#turns.take(kind);
  }

  randomBytes(count: number): Buffer {
    return this.#random.bytes(count);
  }

  randomFraction(): number {
    return this.#random.fraction();
  }

  /** Something from outside arrives: an answer, a request, a signal. */
  deliver(run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#frozen) this.#arrived.push(run);
    else run();
  }

  /** The wall clock is set. */
  stepWallClock(byMs: number): void {
    this.note(`wall clock steps by ${byMs} ms`);
    this.#wallAheadMs += byMs;
  }

  /** The process stands still. With `stopsMonotonic` its machine was suspended, and the monotonic clock with it. */
  freeze(options: { readonly stopsMonotonic: boolean }): void {
    if (this.#frozen || !this.#isAlive) return;
    this.note(`is frozen${options.stopsMonotonic ? ' with its monotonic clock' : ''}`);
    this.#frozen = { sinceMs: this.#world.nowMs, ...options };
  }

  /** The process goes on: everything that is due comes now, timers in their order, the rest anywhere among them. */
  thaw(): void {
    if (!this.#frozen) return;
    const { sinceMs, stopsMonotonic } = this.#frozen;
    if (stopsMonotonic) this.#suspendedMs += (this.#world.nowMs - sinceMs) * this.#rate;
    this.#frozen = undefined;
    this.note(`goes on after ${(this.#world.nowMs - sinceMs).toFixed(0)} ms`);
    const timers = this.#dueTimers.splice(0);
    const arrived = this.#arrived.splice(0);
    while (timers.length + arrived.length > 0) {
      const takesTimer = this.#random.below(timers.length + arrived.length) < timers.length;
      const next = (takesTimer ? timers.shift() : arrived.shift()) as () => void;
      this.#world.schedule(0, () => this.deliver(next));
    }
  }

  /** The process ends at once; whatever it waits for never comes. */
  die(why: string): void {
    if (!this.#isAlive) return;
    this.note(`dies: ${why}`);
    this.#isAlive = false;
    this.#frozen = undefined;
    this.#dueTimers = [];
    this.#arrived = [];
    for (const run of this.#onDeath.splice(0)) run();
  }

  onDeath(run: () => void): void {
    if (this.#isAlive) this.#onDeath.push(run);
    else run();
  }
}

/** What a process that has died gets for an answer. */
export async function never(): Promise<never> {
  return new Promise(() => undefined);
}
