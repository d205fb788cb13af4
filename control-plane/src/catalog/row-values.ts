import type { Row } from '@libsql/client';

/** The text in a column. Throws when the catalog holds something else there. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw new TypeError(`the catalog's column ${column} holds no text`);
  return value;
}

/** The integer in a column. Throws when the catalog holds something else there. */
export function integerOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== 'number') throw new TypeError(`the catalog's column ${column} holds no integer`);
  return value;
}
