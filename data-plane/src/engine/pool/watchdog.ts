/**
 * Enforces the statement deadline of one engine process from outside.
 *
 * An engine runs a statement on its only thread and cannot be interrupted, so a statement that overruns can only be
 * ended together with its process. The watchdog reads what the engine executes (the flight record) while requests are
 * outstanding; without any it keeps no timer.
 */
import type { FlightRecord } from '../ipc/flight-recorder.js';
import type { Runtime } from '../../runtime.js';

export interface WatchdogOptions {
  /** A statement (its prepare included) may take this long. */
  readonly deadlineMs: number;
  readonly runtime: Pick<Runtime, 'schedule'>;
  /** The clock of the flight record: `process.hrtime.bigint`. */
  readonly monotonicNs: () => bigint;
  readonly read: () => FlightRecord;
  /** Called with every record that was read and is not overdue. */
  readonly onLook?: (record: FlightRecord) => void;
  /** Called once, with the record of the statement that overran; the watchdog has stopped by then. */
  readonly onOverrun: (record: FlightRecord) => void;
}

/** A record is two writes of memory for the kernel; one that is read between them never looks the same twice. */
const confirmAfterMs = 10;

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #periodMs: number;
  #cancel: (() => void) | undefined;
  #suspect: FlightRecord | undefined;
  #stopped = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.#periodMs = Math.max(1, Math.floor(options.deadlineMs / 10));
  }

  /** To be called whenever requests become outstanding (true) or none is any more (false). */
  setActive(active: boolean): void {
    if (this.#stopped || active === (this.#cancel !== undefined)) return;
    if (active) this.#schedule(this.#periodMs);
    else this.#rest();
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#suspect = undefined;
  }

  #schedule(ms: number): void {
    this.#cancel = this.#options.runtime.schedule(ms, () => this.#look());
  }

  #look(): void {
    const record = this.#options.read();
    if (!this.#isOverdue(record)) {
      this.#suspect = undefined;
      this.#schedule(this.#periodMs);
      this.#options.onLook?.(record);
      return;
    }
    const suspect = this.#suspect;
    if (suspect?.request === record.request && suspect.startedAtNs === record.startedAtNs) {
      this.stop();
      this.#options.onOverrun(record);
      return;
    }
    this.#suspect = record;
    this.#schedule(confirmAfterMs);
  }

  #isOverdue(record: FlightRecord): boolean {
    if (record.request === 0 || record.startedAtNs === 0n) return false;
    return this.#options.monotonicNs() - record.startedAtNs > BigInt(this.#options.deadlineMs) * 1_000_000n;
  }
}
