import { EngineError, type SqlValue } from './adapter.js';

/**
 * The binding's row iterator. It fetches as many rows at a time as `nextRows` has room for, and fetches when
 * `nextRowIndex` is 100. We set both, because a hundred rows of a hundred megabytes are too many to fetch ahead.
 */
export interface NativeCursor {
  nextRows: (SqlValue[] | undefined)[];
  nextRowIndex: number;
  next(): IteratorResult<SqlValue[]>;
}

const fetchNow = 100;
const mostRowsAhead = 100;
/** Rows are fetched ahead up to about this many bytes, judged by the rows before. */
const bytesAhead = 256 * 1024;
/** Of a statement whose rows are known to be short. Two, so that a single row and the end come with one native call. */
const firstRows = 2;

/** The rows of one run of a statement. Whoever stops early calls `return()`, as `for … of` does. */
export class LibsqlRows implements IterableIterator<SqlValue[]> {
  private buffer: SqlValue[][] = [];
  private position = 0;
  private rowsAhead: number;
  private largestBytes = 1;
  private state: 'open' | 'at-end' | 'released' = 'open';

  /**
   * `expectedRowBytes`: the size of the largest row of earlier runs, undefined for none. `onRelease` is called once, with
   * true when the statement came to its end by itself.
   */
  constructor(
    private readonly cursor: NativeCursor,
    private readonly guard: <T>(call: () => T) => T,
    expectedRowBytes: number | undefined,
    private readonly onRelease: (finished: boolean) => void,
  ) {
    this.rowsAhead = expectedRowBytes !== undefined && expectedRowBytes * firstRows <= bytesAhead ? firstRows : 1;
  }

  /** The size of the largest row so far. */
  get largestRowBytes(): number {
    return this.largestBytes;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<SqlValue[]> {
    if (this.position >= this.buffer.length && this.state === 'open') this.fetch();
    const row = this.buffer[this.position];
    if (row !== undefined) {
      this.position += 1;
      return { done: false, value: row };
    }
    this.release();
    return { done: true, value: undefined };
  }

  return(): IteratorResult<SqlValue[]> {
    this.release();
    return { done: true, value: undefined };
  }

  /** Frees the statement. Throws `EngineError` when a write that was left early fails at its end. */
  release(): void {
    if (this.state === 'released') return;
    const finished = this.state === 'at-end';
    this.buffer = [];
    this.state = 'released';
    this.onRelease(finished);
  }

  /** Runs the statement to its end, dropping the rows. Throws what the end brings, such as a failed commit. */
  drain(): void {
    while (this.fetchRows(mostRowsAhead) === mostRowsAhead);
  }

  /** Steps into the interruption that was just requested. */
  absorbInterrupt(): void {
    try {
      this.drain();
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'SQLITE_INTERRUPT') throw error;
    }
  }

  private fetch(): void {
    const wanted = this.rowsAhead;
    let fetched: number;
    try {
      fetched = this.fetchRows(wanted);
    } catch (error) {
      // The failed step has already reset the statement.
      this.state = 'at-end';
      this.release();
      throw error;
    }
    if (fetched < wanted) this.state = 'at-end';
    let largest = 1;
    for (const row of this.buffer) largest = Math.max(largest, rowBytes(row));
    this.largestBytes = Math.max(this.largestBytes, largest);
    this.rowsAhead = Math.max(1, Math.min(mostRowsAhead, wanted * 4, Math.floor(bytesAhead / largest)));
  }

  private fetchRows(count: number): number {
    this.cursor.nextRows = new Array<undefined>(count);
    this.cursor.nextRowIndex = fetchNow;
    const first = this.guard(() => this.cursor.next());
    this.position = 0;
    this.buffer = [];
    if (first.done === true) return 0;
    this.buffer.push(first.value);
    for (const row of this.cursor.nextRows) if (row !== undefined) this.buffer.push(row);
    return this.buffer.length;
  }
}

function rowBytes(row: SqlValue[]): number {
  let bytes = 16;
  for (const value of row) {
    if (typeof value === 'string') bytes += 2 * value.length;
    else bytes += value instanceof Uint8Array ? value.byteLength : 16;
  }
  return bytes;
}
