import type { SqlValue } from './adapter.js';
import { guard, stepOnce, type NativeDatabase, type NativeStatement } from './tursodb-native.js';

/** The rows of one run of a statement. Whoever stops early calls `return()`, as `for … of` does. */
export class TursodbRows implements IterableIterator<SqlValue[]> {
  private released = false;
  private started = false;

  constructor(
    private readonly database: NativeDatabase,
    private readonly statement: NativeStatement,
    private readonly changes: boolean,
    private readonly onEnd: () => void,
  ) {}

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<SqlValue[]> {
    if (this.released) return { done: true, value: undefined };
    this.started = true;
    let row: SqlValue[] | undefined;
    try {
      row = guard(() => (stepOnce(this.database, this.statement) ? this.statement.row() : undefined));
    } catch (error) {
      this.reset();
      throw error;
    }
    if (row !== undefined) return { done: false, value: row };
    this.reset();
    return { done: true, value: undefined };
  }

  return(): IteratorResult<SqlValue[]> {
    this.release();
    return { done: true, value: undefined };
  }

  /** Frees the statement; one that has begun to change rows runs to its end first. Throws `EngineError` of that end. */
  release(): void {
    if (this.released) return;
    try {
      if (this.started && this.changes) while (guard(() => stepOnce(this.database, this.statement)));
    } finally {
      this.reset();
    }
  }

  private reset(): void {
    this.released = true;
    this.onEnd();
    guard(() => this.statement.reset());
  }
}
