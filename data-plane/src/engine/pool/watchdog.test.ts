import type { FlightRecord } from '../ipc/flight-recorder.js';
import { Watchdog } from './watchdog.js';

const idle: FlightRecord = { request: 0, database: 0, startedAtNs: 0n };

/** A clock that moves only when told, with its timers. */
function simulation(deadlineMs: number) {
  let nowMs = 1_000_000;
  let timers: { at: number; run: () => void }[] = [];
  let record = idle;
  const overruns: FlightRecord[] = [];
  let reads = 0;
  const watchdog = new Watchdog({
    deadlineMs,
    monotonicNs: () => BigInt(nowMs) * 1_000_000n,
    runtime: {
      schedule(ms, run) {
        const timer = { at: nowMs + ms, run };
        timers.push(timer);
        return () => (timers = timers.filter((other) => other !== timer));
      },
    },
    read: () => {
      reads += 1;
      return record;
    },
    onOverrun: (overrun) => overruns.push(overrun),
  });
  return {
    watchdog,
    overruns,
    reads: () => reads,
    timers: () => timers.length,
    begin: (request: number, database: number) =>
      (record = { request, database, startedAtNs: BigInt(nowMs) * 1_000_000n }),
    setRecord: (value: FlightRecord) => (record = value),
    advance: (ms: number) => {
      for (const end = nowMs + ms; nowMs < end; nowMs += 1) {
        const due = timers.filter((timer) => timer.at <= nowMs);
        timers = timers.filter((timer) => timer.at > nowMs);
        for (const timer of due) timer.run();
      }
    },
  };
}

describe('Watchdog', () => {
  it('keeps no timer while nothing is outstanding', () => {
    const { watchdog, advance, timers, reads } = simulation(5000);
    expect(timers()).toBe(0);
    watchdog.setActive(true);
    expect(timers()).toBe(1);
    watchdog.setActive(true);
    expect(timers()).toBe(1);
    advance(2000);
    watchdog.setActive(false);
    expect(timers()).toBe(0);
    const before = reads();
    advance(10_000);
    expect(reads()).toBe(before);
  });

  it('names the statement that is older than the deadline, soon after it', () => {
    const { watchdog, advance, begin, overruns, timers } = simulation(5000);
    watchdog.setActive(true);
    advance(700);
    begin(7, 3);
    advance(5000);
    expect(overruns).toEqual([]);
    advance(600);
    expect(overruns).toEqual([expect.objectContaining({ request: 7, database: 3 })]);
    expect(timers()).toBe(0);
    watchdog.setActive(true);
    expect(timers()).toBe(0);
  });

  it('lets a request run on that consists of short statements', () => {
    const { watchdog, advance, begin, overruns } = simulation(1000);
    watchdog.setActive(true);
    for (let statement = 0; statement < 20; statement += 1) {
      begin(7, 3);
      advance(900);
    }
    expect(overruns).toEqual([]);
  });

  it('does not fall for a record that was read while it was written', () => {
    const { watchdog, advance, begin, setRecord, overruns } = simulation(1000);
    watchdog.setActive(true);
    setRecord({ request: 8, database: 3, startedAtNs: 1n });
    advance(101);
    begin(8, 3);
    advance(500);
    setRecord({ request: 9, database: 3, startedAtNs: 0n });
    advance(2000);
    expect(overruns).toEqual([]);
  });

  it('stays silent after it was stopped', () => {
    const { watchdog, advance, begin, overruns } = simulation(1000);
    watchdog.setActive(true);
    begin(1, 1);
    watchdog.stop();
    advance(5000);
    expect(overruns).toEqual([]);
  });
});
