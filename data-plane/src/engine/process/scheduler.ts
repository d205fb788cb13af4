/**
 * Runs the tasks of many databases on one thread: databases take turns, each for at most one time slice, and so do the
 * tasks of one database. A slice ends at the first yield after it is used up, so nothing waits longer for its turn than
 * one slice and one statement of each database before it.
 */
import type { Runtime } from '../../runtime.js';
import type { Task } from './task.js';

interface Entry {
  readonly task: Task;
  readonly group: Group;
  stopped: boolean;
}

/** The tasks of one database. */
interface Group {
  readonly id: number;
  /** Every task that has not ended, runnable or parked. */
  readonly entries: Set<Entry>;
  readonly runnable: Entry[];
  queued: boolean;
}

export interface SchedulerOptions {
  readonly runtime: Runtime;
  /** Longest time one database, and one turn of the event loop, may run before others are looked at. */
  readonly sliceMs: number;
  /** Called after every turn; what the turn produced can be sent now. */
  readonly afterTurn: () => void;
  /** Called when nothing is left to run. */
  readonly idle: () => void;
}

export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #groups = new Map<number, Group>();
  readonly #ring: Group[] = [];
  #turnScheduled = false;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Adds a task to the tasks of database `group`; it runs in a later turn of the event loop. */
  start(group: number, task: Task): void {
    let owner = this.#groups.get(group);
    if (!owner) {
      owner = { id: group, entries: new Set(), runnable: [], queued: false };
      this.#groups.set(group, owner);
    }
    const entry: Entry = { task, group: owner, stopped: false };
    owner.entries.add(entry);
    this.#makeRunnable(entry);
  }

  /** Ends every task of a database where it stands. Must not be called from within a task. */
  dropGroup(id: number): void {
    const group = this.#groups.get(id);
    if (!group) return;
    this.#groups.delete(id);
    for (const entry of group.entries) {
      entry.stopped = true;
      entry.task.return();
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
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    this.#options.runtime.schedule(0, () => this.#turn());
  }

  #turn(): void {
    const { runtime, sliceMs, afterTurn, idle } = this.#options;
    const turnEndMs = runtime.monotonicMs() + sliceMs;
    let expired = false;
    while (!expired) {
      const group = this.#ring.shift();
      if (!group) break;
      const entry = group.runnable.shift();
      if (entry) expired = this.#run(entry, turnEndMs);
      group.queued = group.runnable.length > 0;
      if (group.queued) this.#ring.push(group);
    }
    afterTurn();
    this.#turnScheduled = this.#ring.length > 0;
    if (this.#turnScheduled) runtime.schedule(0, () => this.#turn());
    else idle();
  }

  /** Runs one task until it ends, parks, or the turn is used up; the latter gives true. */
  #run(entry: Entry, turnEndMs: number): boolean {
    const { runtime } = this.#options;
    for (;;) {
      const step = entry.task.next();
      if (step.done) {
        entry.stopped = true;
        entry.group.entries.delete(entry);
        if (entry.group.entries.size === 0) this.#groups.delete(entry.group.id);
        return runtime.monotonicMs() >= turnEndMs;
      }
      const signal = step.value;
      if (signal && !signal.raised) {
        signal.listen(() => this.#makeRunnable(entry));
        return runtime.monotonicMs() >= turnEndMs;
      }
      if (runtime.monotonicMs() >= turnEndMs) {
        entry.group.runnable.push(entry);
        return true;
      }
    }
  }
}
