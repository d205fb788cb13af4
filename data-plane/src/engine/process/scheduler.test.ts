import type { Runtime } from '../../runtime.js';
import { Scheduler } from './scheduler.js';
import { Signal, type Task } from './task.js';

/** Time passes by one millisecond with every look at the clock; turns run when they are asked for. */
class Turns {
  readonly log: string[] = [];
  readonly scheduler: Scheduler;
  #nowMs = 0;
  #due: (() => void)[] = [];

  constructor(sliceMs: number) {
    const runtime: Pick<Runtime, 'monotonicMs' | 'schedule'> = {
      monotonicMs: () => this.#nowMs++,
      schedule: (_ms, run) => {
        this.#due.push(run);
        return () => undefined;
      },
    };
    this.scheduler = new Scheduler({
      runtime: runtime as Runtime,
      sliceMs,
      afterTurn: () => this.log.push('|'),
      idle: () => this.log.push('idle'),
    });
  }

  run(): string {
    for (let turn = this.#due.shift(); turn; turn = this.#due.shift()) turn();
    return this.log.join(' ');
  }

  *task(name: string, steps: number): Task {
    try {
      for (let step = 0; step < steps; step++) {
        this.log.push(name);
        yield undefined;
      }
    } finally {
      this.log.push(`end-${name}`);
    }
  }
}

describe('Scheduler', () => {
  it('gives every database its turn', () => {
    const turns = new Turns(3);
    turns.scheduler.start(1, turns.task('a', 5));
    turns.scheduler.start(2, turns.task('b', 1));
    expect(turns.run()).toBe('a a a | b end-b a | a end-a | idle');
  });

  it('gives every task of a database its turn', () => {
    const turns = new Turns(2);
    turns.scheduler.start(1, turns.task('a', 3));
    turns.scheduler.start(1, turns.task('b', 3));
    expect(turns.run()).toBe('a a | b b | a end-a | b end-b | idle');
  });

  it('parks a task until its signal is raised', () => {
    const turns = new Turns(100);
    const signal = new Signal();
    const waiter = function* (): Task {
      turns.log.push('waits');
      yield signal;
      turns.log.push('goes on');
      yield signal;
      turns.log.push('done');
    };
    turns.scheduler.start(1, waiter());
    expect(turns.run()).toBe('waits | idle');
    signal.raise();
    signal.raise();
    expect(turns.run()).toBe('waits | idle goes on done | idle');
  });

  it('ends the tasks of a dropped database, parked ones too', () => {
    const turns = new Turns(1);
    const signal = new Signal();
    const waiter = function* (): Task {
      try {
        yield signal;
      } finally {
        turns.log.push('end-waiter');
      }
    };
    turns.scheduler.start(1, waiter());
    turns.scheduler.start(2, turns.task('b', 1));
    turns.run();
    turns.scheduler.start(1, turns.task('a', 1));
    turns.scheduler.dropGroup(1);
    signal.raise();
    expect(turns.run()).not.toContain('a ');
    expect(turns.log).toContain('end-waiter');
    turns.scheduler.start(1, turns.task('c', 1));
    expect(turns.run()).toContain('end-c');
  });
});
