import type { Runtime } from '../../runtime.js';
import type { Outbox } from './outbox.js';

/** How long the first count waits for others. What is not told yet is lost with the process. */
const reportAfterMs = 100;

/** Counts what the statements of one database do, and tells the I/O process from time to time; an idle one has no timer. */
export class UsageReport {
  #queries = 0;
  #rowsRead = 0;
  #rowsWritten = 0;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly database: number,
    private readonly outbox: Pick<Outbox, 'send'>,
    private readonly runtime: Pick<Runtime, 'schedule'>,
  ) {}

  /** A statement ended, however it ended. */
  count(rowsRead: number, rowsWritten: number): void {
    this.#queries += 1;
    this.#rowsRead += rowsRead;
    this.#rowsWritten += rowsWritten;
    this.#cancel ??= this.runtime.schedule(reportAfterMs, () => this.report());
  }

  /** Tells what was counted, now. */
  report(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#queries === 0) return;
    const [queries, rowsRead, rowsWritten] = [this.#queries, this.#rowsRead, this.#rowsWritten];
    this.#queries = this.#rowsRead = this.#rowsWritten = 0;
    this.outbox.send({ type: 'usage', database: this.database, queries, rowsRead, rowsWritten });
  }
}
