/**
 * The engine processes of a data node, and which database goes to which.
 *
 * Each engine has processes of its own, so that an abort of one engine never takes down databases of the other. The
 * processes of `libsql` start with the node, those of `tursodb` when the first such database is placed. A database
 * whose statement ended a process is placed in an isolation process for a while: should it do so again, its former
 * neighbours do not pay a second time.
 *
 * A database that loses its process is waited for, and starting one takes longer than restoring it. So, unless that is
 * switched off, an isolation process of each engine in use stands by, and a second one as soon as the first is used.
 */
import { readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ByocError } from '../../errors/catalogue.js';
import type { DatabaseId, EngineName } from '../../identity.js';
import type { Runtime } from '../../runtime.js';
import { defaultDispatcherLimits, type DispatcherLimits } from './dispatcher.js';
import type { EngineExit, ExitCause } from './engine-exit.js';
import type { EngineSlot } from './engine-slot.js';
import { EngineSupervisor } from './engine-supervisor.js';
import type { BorrowedEngine } from './engines.js';
import type { Sandbox } from './sandbox.js';

// What the owner of a database needs besides the pool.
export type { LostRequest } from './engine-exit.js';
export type { EngineSlot, OpenedInEngine, RequestTicket } from './engine-slot.js';
export type { DatabaseEvents, ResponseHandler, ResponsePart } from './open-in-engine.js';

export interface EnginePoolMetrics {
  /** An engine process ended without having been stopped, and is replaced. */
  engineRestarted(engine: EngineName, cause: ExitCause): void;
}

export interface EnginePoolOptions {
  readonly sandbox: Sandbox;
  /** The directory that the sandbox was probed with; what engine processes of an earlier run left in it is removed. */
  readonly cacheDirectory: string;
  readonly runtime: Runtime;
  readonly metrics: EnginePoolMetrics;
  /** Structured log line; never data, parameters or keys. */
  readonly report: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Ordinary processes of each engine. @default number of cores, at least 2 */
  readonly processesPerEngine?: number;
  /** Isolation processes stand by before one is needed. @default false */
  readonly keepsStandby?: boolean;
  /** A statement may take this long, its prepare included. @default 5000 */
  readonly statementDeadlineMs?: number;
  /** What each process may have to itself, in bytes. @default no limit */
  readonly memoryBytes?: number;
  /** How long an engine may stay silent over an open, a close or a checkpoint. @default 30000 */
  readonly controlDeadlineMs?: number;
  /** How long a database that ended a process stays apart. @default 60000 */
  readonly isolationMs?: number;
  /** @default defaultDispatcherLimits */
  readonly dispatcher?: DispatcherLimits;
  /** The clock of the flight record. @default process.hrtime.bigint */
  readonly monotonicNs?: () => bigint;
}

/** How long a process may take to end when the node stops. */
const stopGraceMs = 2000;
/** From when an isolation process is used until the next one is started: what is being opened now goes first. */
const standbyDelayMs = 1000;
/** From when a process is to be replaced until it is: others may ask for the same a moment later. */
const retireDelayMs = 1000;
/** How long what is in a process that is to be replaced may take to leave it: longer than a transaction, or an idle stream. */
const retirePatienceMs = 15_000;

/** Processes that are borrowed at once. */
const maxBorrowed = 2;

/** Processes that run, by what they are for. */
export interface EngineProcessCount {
  readonly ordinary: number;
  readonly isolation: number;
}

export class EnginePool {
  readonly #options: EnginePoolOptions;
  readonly #ordinary = new Map<EngineName, EngineSupervisor[]>();
  /** At most two of each engine: one that is used, and one that stands by. */
  readonly #isolation = new Map<EngineName, EngineSupervisor[]>();
  /** Until when a database stays apart, on the monotonic clock. */
  readonly #isolatedUntilMs = new Map<DatabaseId, number>();
  #nextNumber = 0;
  /** Numbers of processes that were replaced and are gone. */
  readonly #freeNumbers: number[] = [];
  #lastHandle = 0;
  /** Turns among processes of equal load. */
  #turn = 0;
  #stopping = false;
  /** Processes that are about to be replaced; cancels that. */
  readonly #recycling = new Map<Pick<EngineSlot, 'isAlive'>, () => void>();
  /** Those of processes that were replaced and still run. */
  readonly #retiring = new Set<EngineSupervisor>();
  /** Those that somebody has for himself; waits until fewer are. */
  readonly #borrowed = new Map<EngineSupervisor, Promise<void>>();
  /** Cancel the start of a process that is to stand by. */
  readonly #standbyTimers = new Map<EngineName, () => void>();

  private constructor(options: EnginePoolOptions) {
    this.#options = options;
  }

  /** Starts the processes of `libsql`. Throws the file system's error when the cache directory cannot be cleared. */
  static async start(options: EnginePoolOptions): Promise<EnginePool> {
    for (const entry of await readdir(options.cacheDirectory)) {
      if (!/^(engine|probe)-/.test(entry)) continue;
      await rm(join(options.cacheDirectory, entry), { recursive: true, force: true });
    }
    const pool = new EnginePool(options);
    pool.#ordinaryOf('libsql');
    return pool;
  }

  /**
   * The process that a database is to be opened in: the one it is in already, otherwise the one with the fewest
   * databases. Waits while no process runs. Throws SHUTTING_DOWN.
   */
  async place(id: DatabaseId, engine: EngineName): Promise<EngineSlot> {
    for (;;) {
      if (this.#stopping) throw new ByocError('SHUTTING_DOWN', 'the engine processes are being stopped');
      const isIsolated = this.#isIsolated(id);
      const supervisors = isIsolated ? this.#isolationOf(engine) : this.#ordinaryOf(engine);
      const slots = supervisors.flatMap((supervisor) => supervisor.slot ?? []);
      const slot =
        slots.find((one) => one.holds(id)) ?? (isIsolated ? longestRunning(slots) : this.#leastLoaded(slots));
      if (slot) {
        slot.reserve(id);
        if (isIsolated) this.#standBy(engine);
        return slot;
      }
      await Promise.race(supervisors.map(async (supervisor) => supervisor.started()));
    }
  }

  /**
   * Replaces a process, whose memory may hold what nobody may see any more. What is open in it moves to other processes
   * when no request of it is under way.
   */
  recycle(slot: Pick<EngineSlot, 'isAlive'>): void {
    if (this.#recycling.has(slot)) return;
    const cancel = this.#options.runtime.schedule(retireDelayMs, () => {
      this.#recycling.delete(slot);
      this.#replace(slot);
    });
    this.#recycling.set(slot, cancel);
  }

  #replace(slot: Pick<EngineSlot, 'isAlive'>): void {
    for (const supervisors of [...this.#ordinary.values(), ...this.#isolation.values()]) {
      const at = supervisors.findIndex((supervisor) => supervisor.slot === slot);
      const retiring = supervisors[at];
      if (!retiring) continue;
      // A user of its own for the new one: for a while both run.
      supervisors[at] = this.#supervisor(retiring.engine);
      this.#retiring.add(retiring);
      void retiring.retire(retirePatienceMs, stopGraceMs).then(() => {
        this.#retiring.delete(retiring);
        this.#freeNumbers.push(retiring.number);
      });
    }
  }

  /** As `Engines` says. */
  async borrow(engine: EngineName): Promise<BorrowedEngine> {
    while (this.#borrowed.size >= maxBorrowed && !this.#stopping) await Promise.race(this.#borrowed.values());
    if (this.#stopping) throw new ByocError('SHUTTING_DOWN', 'the engine processes are being stopped');
    const supervisor = this.#supervisor(engine);
    let givenBack = (): void => undefined;
    this.#borrowed.set(supervisor, new Promise((resolve) => (givenBack = resolve)));
    const giveBack = async (): Promise<void> => {
      await supervisor.stop(stopGraceMs);
      if (!this.#borrowed.delete(supervisor)) return;
      this.#freeNumbers.push(supervisor.number);
      givenBack();
    };
    await supervisor.started();
    const { slot } = supervisor;
    if (slot) return { place: slot, giveBack };
    await giveBack();
    throw new ByocError('SHUTTING_DOWN', 'the engine processes are being stopped');
  }

  /** Ends every process; what is open in them is lost. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const cancel of [...this.#standbyTimers.values(), ...this.#recycling.values()]) cancel();
    const own = [...this.#retiring, ...this.#borrowed.keys()];
    const supervisors = [...this.#ordinary.values(), ...this.#isolation.values(), own].flat();
    await Promise.all(supervisors.map(async (supervisor) => supervisor.stop(stopGraceMs)));
  }

  get processes(): EngineProcessCount {
    const running = (all: ReadonlyMap<EngineName, EngineSupervisor[]>): number =>
      [...all.values()].flat().filter(({ slot }) => slot !== undefined).length;
    return { ordinary: running(this.#ordinary), isolation: running(this.#isolation) };
  }

  /** Requests that wait for room in an engine process. */
  get queued(): number {
    return this.#running().reduce((sum, { slot }) => sum + (slot?.queued ?? 0), 0);
  }

  /** Ids of the processes by the number of their place, which the next process in it takes over. */
  get processIds(): ReadonlyMap<string, number> {
    return new Map(
      this.#running().flatMap(({ number, slot }) =>
        slot?.pid === undefined ? [] : [[`engine-${number}`, slot.pid] as const],
      ),
    );
  }

  #running(): EngineSupervisor[] {
    return [...this.#ordinary.values(), ...this.#isolation.values(), ...this.#retiring].flat();
  }

  #leastLoaded(slots: readonly EngineSlot[]): EngineSlot | undefined {
    this.#turn += 1;
    let best: EngineSlot | undefined;
    for (let index = 0; index < slots.length; index += 1) {
      const slot = slots[(this.#turn + index) % slots.length];
      if (slot && (!best || slot.load < best.load)) best = slot;
    }
    return best;
  }

  #isIsolated(id: DatabaseId): boolean {
    const untilMs = this.#isolatedUntilMs.get(id);
    if (untilMs === undefined) return false;
    if (untilMs > this.#options.runtime.monotonicMs()) return true;
    this.#isolatedUntilMs.delete(id);
    return false;
  }

  #isolate(id: DatabaseId): void {
    const now = this.#options.runtime.monotonicMs();
    for (const [other, untilMs] of this.#isolatedUntilMs) if (untilMs <= now) this.#isolatedUntilMs.delete(other);
    this.#isolatedUntilMs.set(id, now + (this.#options.isolationMs ?? 60_000));
  }

  #ordinaryOf(engine: EngineName): EngineSupervisor[] {
    let supervisors = this.#ordinary.get(engine);
    if (!supervisors) {
      const count = this.#options.processesPerEngine ?? Math.max(2, availableParallelism());
      supervisors = Array.from({ length: count }, () => this.#supervisor(engine));
      this.#ordinary.set(engine, supervisors);
      if (this.#options.keepsStandby) this.#isolationOf(engine);
    }
    return supervisors;
  }

  #isolationOf(engine: EngineName): EngineSupervisor[] {
    let supervisors = this.#isolation.get(engine);
    if (!supervisors) {
      supervisors = [this.#supervisor(engine)];
      this.#isolation.set(engine, supervisors);
    }
    return supervisors;
  }

  /** An isolation process of the engine is used: should it die, there is another one. */
  #standBy(engine: EngineName): void {
    const supervisors = this.#isolationOf(engine);
    if (!this.#options.keepsStandby || this.#standbyTimers.has(engine)) return;
    const start = (): void => void supervisors.push(this.#supervisor(engine));
    this.#standbyTimers.set(engine, this.#options.runtime.schedule(standbyDelayMs, start));
  }

  #supervisor(engine: EngineName): EngineSupervisor {
    const { sandbox, cacheDirectory, runtime, report, metrics } = this.#options;
    const number = this.#freeNumbers.pop() ?? this.#nextNumber++;
    return new EngineSupervisor({
      sandbox,
      cacheDirectory,
      runtime,
      report,
      engine,
      number,
      monotonicNs: this.#options.monotonicNs ?? (() => process.hrtime.bigint()),
      statementDeadlineMs: this.#options.statementDeadlineMs ?? 5_000,
      memoryBytes: this.#options.memoryBytes ?? Infinity,
      controlDeadlineMs: this.#options.controlDeadlineMs ?? 30_000,
      dispatcher: this.#options.dispatcher ?? defaultDispatcherLimits,
      nextHandle: () => this.#nextHandle(),
      onExit: (exit: EngineExit, culprit) => {
        if (culprit !== undefined) this.#isolate(culprit);
        metrics.engineRestarted(engine, exit.cause);
      },
    });
  }

  #nextHandle(): number {
    this.#lastHandle += 1;
    if (this.#lastHandle > 0xffffffff) throw new RangeError('the engine pool has used up its database handles');
    return this.#lastHandle;
  }
}

/** It has surely loaded what it needs, while one that was started just now has not. */
function longestRunning(slots: readonly EngineSlot[]): EngineSlot | undefined {
  return slots.reduce<EngineSlot | undefined>(
    (oldest, slot) => (oldest && oldest.startedMs <= slot.startedMs ? oldest : slot),
    undefined,
  );
}
