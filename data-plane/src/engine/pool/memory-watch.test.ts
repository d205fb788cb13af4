import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MemoryWatch, privateBytesOf } from './memory-watch.js';

/** A clock that moves only when told, with its timers. */
function simulation(limitBytes: number) {
  let nowMs = 0;
  let timers: { at: number; run: () => void }[] = [];
  const state = { bytes: 0 as number | undefined, looks: 0, excesses: [] as number[] };
  const watch = new MemoryWatch({
    limitBytes,
    runtime: {
      schedule(ms, run) {
        const timer = { at: nowMs + ms, run };
        timers.push(timer);
        return () => (timers = timers.filter((other) => other !== timer));
      },
    },
    privateBytes: () => {
      state.looks += 1;
      return state.bytes;
    },
    onExcess: (bytes) => state.excesses.push(bytes),
  });
  const advance = (ms: number): void => {
    for (const end = nowMs + ms; nowMs < end; nowMs += 1) {
      const due = timers.filter((timer) => timer.at <= nowMs);
      timers = timers.filter((timer) => timer.at > nowMs);
      for (const timer of due) timer.run();
    }
  };
  return { watch, state, advance, timers: () => timers.length };
}

describe('MemoryWatch', () => {
  it('looks only while requests are outstanding', () => {
    const { watch, state, advance, timers } = simulation(100);
    advance(1_000);
    expect([state.looks, timers()]).toEqual([0, 0]);
    watch.setActive(true);
    watch.setActive(true);
    expect(timers()).toBe(1);
    advance(1_000);
    expect(state.looks).toBeGreaterThan(10);
    watch.setActive(false);
    expect(timers()).toBe(0);
  });

  it('tells once, and then is silent', () => {
    const { watch, state, advance, timers } = simulation(100);
    watch.setActive(true);
    state.bytes = 100;
    advance(500);
    expect(state.excesses).toEqual([]);
    state.bytes = 101;
    advance(500);
    watch.setActive(true);
    advance(500);
    expect([state.excesses, timers()]).toEqual([[101], 0]);
  });

  it('goes on where nobody knows', () => {
    const { watch, state, advance } = simulation(100);
    watch.setActive(true);
    state.bytes = undefined;
    advance(500);
    expect([state.excesses, state.looks > 5]).toEqual([[], true]);
  });
});

it('the memory of a process is what it has to itself; of one that is gone nothing is known', async () => {
  if (process.platform !== 'linux') {
    process.stderr.write('memory of processes: not known on this system, as it should be\n');
    expect(privateBytesOf(process.pid)).toBeUndefined();
    return;
  }
  const child = spawn(process.execPath, [
    '-e',
    'const kept = Buffer.alloc(200e6, 1); console.log("ready"); setInterval(() => kept.length, 1e6)',
  ]);
  await once(child.stdout, 'data');
  expect(privateBytesOf(child.pid!)).toBeGreaterThan(200e6);
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  expect(privateBytesOf(child.pid!)).toBeUndefined();
});
