import type { Runtime } from '../../runtime.js';
import { mostShapesTold, type ShapedCosts } from '../ipc/shaped-costs.js';
import type { Outbox } from './outbox.js';

/** How long the first count waits for others. What is not told yet is lost with the process. */
const reportAfterMs = 100;

type Counted = { -readonly [Name in keyof ShapedCosts]: ShapedCosts[Name] };

/** Counts what the statements of one database do, and tells the I/O process from time to time; an idle one has no timer. */
export class UsageReport {
  #queries = 0;
  #rowsRead = 0;
  #rowsWritten = 0;
  readonly #shapes = new Map<string, Counted>();
  #cancel: (() => void) | undefined;

  constructor(
    private readonly database: number,
    private readonly outbox: Pick<Outbox, 'send'>,
    private readonly runtime: Pick<Runtime, 'schedule'>,
  ) {}

  /** A statement ended, however it ended; `shape` is undefined when it is not told apart from others. */
  count(rowsRead: number, rowsWritten: number, shape: string | undefined): void {
    this.#queries += 1;
    this.#rowsRead += rowsRead;
    this.#rowsWritten += rowsWritten;
    if (shape !== undefined) {
      const counted = this.#shapes.get(shape);
      if (counted) {
        counted.count += 1;
        counted.rowsRead += rowsRead;
        counted.rowsWritten += rowsWritten;
      } else {
        this.#shapes.set(shape, { shape, count: 1, rowsRead, rowsWritten });
      }
      if (this.#shapes.size >= mostShapesTold) this.report();
    }
    if (this.#queries > 0) this.#cancel ??= this.runtime.schedule(reportAfterMs, () => this.report());
  }

  /** Tells what was counted, now. */
  report(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#queries === 0) return;
    const [queries, rowsRead, rowsWritten] = [this.#queries, this.#rowsRead, this.#rowsWritten];
    this.#queries = this.#rowsRead = this.#rowsWritten = 0;
    const shapes = [...this.#shapes.values()];
    this.#shapes.clear();
    this.outbox.send({ type: 'usage', database: this.database, queries, rowsRead, rowsWritten, shapes });
  }
}
