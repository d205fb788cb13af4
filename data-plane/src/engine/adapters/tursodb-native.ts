import type { SqlValue } from './adapter.js';
import { tursodbError } from './tursodb-errors.js';

const stepRow = 1;
const stepIo = 3;

/** A prepared statement of the binding's native layer. */
export interface NativeStatement {
  raw(on: boolean): void;
  safeIntegers(on: boolean): void;
  columns(): { name: string; type: string | null }[];
  parameterCount(): number;
  bindAt(index: number, value: SqlValue): void;
  stepSync(): number;
  row(): SqlValue[];
  reset(): void;
  finalize(): void;
}

/** A connection of the binding's native layer. */
export interface NativeDatabase {
  prepare(sql: string): NativeStatement;
  inTransaction(): boolean;
  changes(): number;
  lastInsertRowid(): number;
  ioLoopSync(): void;
}

/** Runs a native call and translates its errors. */
export function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw tursodbError(error);
  }
}

/** Steps to the next row; false at the end. */
export function stepOnce(database: NativeDatabase, statement: NativeStatement): boolean {
  for (;;) {
    const result = statement.stepSync();
    if (result !== stepIo) return result === stepRow;
    database.ioLoopSync();
  }
}
