/**
 * Runs the tasks of many databases on one thread: databases take turns, each for at most one time slice, and so do the
 * tasks of one database. A slice ends at the first yield after it is used up.
 *
 * A database that had a step much longer than a slice is slow for a while: while such a step runs, nothing is received and
 * nothing is sent. So it runs at the beginning of a turn only, when the kernel has what others produced, and others that
 * are runnable by then go first, once. A database beside a slow one waits for one of its statements and a slice; beside
 * several, for one statement of each.
 */
import type { Runtime } from '../../runtime.js';
import type { Outbox } from './outbox.js';
import type { Task } from './task.js';

/** A step this many slices long makes a database slow; less may be the machine, which had other things to do. */
const slowSlices = 4;
const slowForMs = 1_000;

interface Entry {
  readonly task: Task;
  readonly group: Group;
  /** Called when the task has ended, however it did. */
  readonly ended: (() => void) | undefined;
  stopped: boolean;
}

/** The tasks of one database. */
interface Group {
  readonly id: number;
  /** Every task that has not ended, runnable or parked. */
  readonly entries: Set<Entry>;
  readonly runnable: Entry[];
  queued: boolean;
  /** Others went first since its last run. */
  hasGivenWay: boolean;
}

export interface SchedulerOptions {
  readonly runtime: Runtime;
  /** Longest time one database, and one turn of the event loop, may run before others are looked at. */
  readonly sliceMs: number;
  /** Called after every turn; what the turn produced can be sent now. */
  readonly afterTurn: () => void;
  /** Whether what was produced is still on its way out of the process, and how to learn that it is not. */
  readonly outbox: Pick<Outbox, 'isBlocked' | 'onceSent'>;
  /** Called when nothing is left to run, or nothing may run yet. */
  readonly idle: () => void;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #groups = new Map<number, Group>();
  readonly #ring: Group[] = [];
  /** Until when a database is slow, on the monotonic clock. */
  readonly #slowUntilMs = new Map<number, number>();
  #turnScheduled = false;
  #waitsForOutbox = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /**
   * Adds a task to the tasks of database `group`; it runs in a later turn of the event loop. `ended` is called once, when
   * the task has ended by itself or was ended.
   */
  start(group: number, task: Task, ended?: () => void): void {
    let owner = this.#groups.get(group);
    if (!owner) {
      owner = { id: group, entries: new Set(), runnable: [], queued: false, hasGivenWay: false };
      this.#groups.set(group, owner);
    }
    const entry: Entry = { task, group: owner, ended, stopped: false };
    owner.entries.add(entry);
    this.#makeRunnable(entry);
  }

  /** Ends every task of a database where it stands. Must not be called from within a task. */
  dropGroup(id: number): void {
    this.#slowUntilMs.delete(id);
    const group = this.#groups.get(id);
    if (!group) return;
    this.#groups.delete(id);
    for (const entry of group.entries) {
      entry.stopped = true;
      entry.task.return();
      entry.ended?.();
    }
    group.entries.clear();
    group.runnable.length = 0;
  }

  #makeRunnable(entry: Entry): void {
    if (entry.stopped) return;
    const { group } = entry;
    group.runnable.push(entry);
    if (!group.queued) {
      group.queued = true;
      this.#ring.push(group);
    }
    this.#scheduleTurn();
  }

  #scheduleTurn(): void {
    if (this.#turnScheduled || this.#ring.length === 0) return;
    this.#turnScheduled = true;
    this.#options.runtime.schedule(0, () => this.#turn());
  }

  #turn(): void {
    const { runtime, sliceMs, afterTurn, outbox, idle } = this.#options;
    let nowMs = runtime.monotonicMs();
    const turnEndMs = nowMs + sliceMs;
    const first = this.#first(nowMs, !outbox.isBlocked);
    for (let group = first; group; group = this.#next(nowMs)) {
      group.hasGivenWay = false;
      const entry = group.runnable.shift();
      if (entry) nowMs = this.#run(entry, nowMs, turnEndMs);
      group.queued = group.runnable.length > 0;
      if (group.queued) this.#ring.push(group);
      if (nowMs >= turnEndMs) break;
    }
    afterTurn();
    this.#turnScheduled = false;
    if (first) this.#scheduleTurn();
    else this.#waitForOutbox();
    if (!first || this.#ring.length === 0) idle();
  }

  #waitForOutbox(): void {
    if (this.#waitsForOutbox || this.#ring.length === 0) return;
    this.#waitsForOutbox = true;
    this.#options.outbox.onceSent(() => {
      this.#waitsForOutbox = false;
      this.#scheduleTurn();
    });
  }

  /** The database that begins a turn; none when only slow ones are left and `slowMayRun` is false. */
  #first(nowMs: number, slowMayRun: boolean): Group | undefined {
    for (let passed = this.#ring.length; passed > 0; passed--) {
      const group = this.#ring.shift();
      if (!group || !this.#isSlow(group.id, nowMs) || (group.hasGivenWay && slowMayRun)) return group;
      group.hasGivenWay = true;
      this.#ring.push(group);
    }
    return slowMayRun ? this.#ring.shift() : undefined;
  }

  /** The database that goes on in a turn; none when the next one is slow. */
  #next(nowMs: number): Group | undefined {
    const [group] = this.#ring;
    return group && !this.#isSlow(group.id, nowMs) ? this.#ring.shift() : undefined;
  }

  #isSlow(id: number, nowMs: number): boolean {
    const untilMs = this.#slowUntilMs.get(id);
    if (untilMs === undefined) return false;
    if (untilMs > nowMs) return true;
    this.#slowUntilMs.delete(id);
    return false;
  }

  /** Runs one task until it ends, parks, or the turn is used up. Returns the time. */
  #run(entry: Entry, startMs: number, turnEndMs: number): number {
    const { runtime, sliceMs } = this.#options;
    const { group } = entry;
    for (let beforeMs = startMs; ;) {
      const step = entry.task.next();
      const nowMs = runtime.monotonicMs();
      if (nowMs - beforeMs > slowSlices * sliceMs) this.#slowUntilMs.set(group.id, nowMs + slowForMs);
      beforeMs = nowMs;
      if (step.done) {
        entry.stopped = true;
        entry.ended?.();
        group.entries.delete(entry);
        if (group.entries.size === 0) this.#groups.delete(group.id);
        return nowMs;
      }
      const signal = step.value;
      if (signal && !signal.raised) {
        signal.listen(() => this.#makeRunnable(entry));
        return nowMs;
      }
      if (nowMs >= turnEndMs) {
        group.runnable.push(entry);
        return nowMs;
      }
    }
  }
}
