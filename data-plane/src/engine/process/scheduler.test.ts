import type { Runtime } from '../../runtime.js';
import { Scheduler } from './scheduler.js';
import { Signal, type Task } from './task.js';

/** Time passes by one millisecond with every look at the clock; turns run when they are asked for. */
class Turns {
  readonly log: string[] = [];
  readonly scheduler: Scheduler;
  readonly outbox = { isBlocked: false, onceSent: (run: () => void) => void (this.sent = run) };
  /** What is to be called when the outbox is not blocked any more. */
  sent: (() => void) | undefined;
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
      outbox: this.outbox,
      idle: () => this.log.push('idle'),
    });
  }

  run(): string {
    for (let turn = this.#due.shift(); turn; turn = this.#due.shift()) turn();
    return this.log.join(' ');
  }

  /** Runs one turn; what happened in it. */
  runTurn(): string {
    this.log.length = 0;
    this.#due.shift()?.();
    return this.log.splice(0).join(' ');
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  *task(name: string, steps: number, stepMs = 0): Task {
    try {
      for (let step = 0; step < steps; step++) {
        this.log.push(name);
        this.#nowMs += stepMs;
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

  it('sends what others produced, and lets them go first once, before a database runs that is slow', () => {
    const turns = new Turns(3);
    turns.scheduler.start(1, turns.task('SLOW', 3, 50));
    expect(turns.runTurn()).toBe('SLOW |');
    // It is runnable and first in the ring; what comes now overtakes it, and leaves before its next step.
    turns.scheduler.start(2, turns.task('a', 1));
    expect(turns.runTurn()).toBe('a end-a |');
    turns.scheduler.start(2, turns.task('b', 1));
    expect(turns.runTurn()).toBe('SLOW |');
    expect(turns.runTurn()).toBe('b end-b |');
    expect(turns.run()).toBe('SLOW | end-SLOW | idle');
  });

  it('lets a slow database wait while the outbox is blocked, and others run', () => {
    const turns = new Turns(3);
    turns.scheduler.start(1, turns.task('SLOW', 2, 50));
    expect(turns.runTurn()).toBe('SLOW |');
    turns.outbox.isBlocked = true;
    expect(turns.runTurn()).toBe('| idle');
    expect(turns.runTurn()).toBe('');
    turns.scheduler.start(2, turns.task('a', 1));
    expect(turns.runTurn()).toBe('a end-a |');
    expect(turns.runTurn()).toBe('| idle');
    expect(turns.runTurn()).toBe('');
    turns.outbox.isBlocked = false;
    turns.sent?.();
    expect(turns.run()).toBe('SLOW | end-SLOW | idle');
  });

  it('gives slow databases their turns among themselves and beside one that never rests', () => {
    const turns = new Turns(3);
    turns.scheduler.start(1, turns.task('S', 3, 50));
    turns.scheduler.start(2, turns.task('T', 3, 50));
    turns.scheduler.start(3, turns.task('a', 20));
    const order = turns.run().replaceAll(/end-.|[^ST]/g, '');
    expect(order).toBe('STSTST');
  });

  it('takes a database that was slow for an ordinary one when it has not been for a while', () => {
    const turns = new Turns(3);
    turns.scheduler.start(1, turns.task('SLOW', 1, 50));
    turns.run();
    turns.pass(1_000);
    turns.log.length = 0;
    turns.scheduler.start(2, turns.task('a', 1));
    turns.scheduler.start(1, turns.task('b', 1));
    expect(turns.runTurn()).toBe('a end-a b |');
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

describe('the end of a task', () => {
  it('is told once, when it ends by itself and when it is ended', () => {
    const turns = new Turns(100);
    const ended: string[] = [];
    turns.scheduler.start(1, turns.task('short', 1), () => ended.push('short'));
    turns.run();
    expect(ended).toEqual(['short']);
    turns.scheduler.start(1, turns.task('long', 5), () => ended.push('long'));
    turns.scheduler.dropGroup(1);
    turns.scheduler.dropGroup(1);
    turns.run();
    expect(ended).toEqual(['short', 'long']);
  });
});
