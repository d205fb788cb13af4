import type { SqlValue } from './adapter.js';
import { LibsqlRows, type NativeCursor } from './libsql-rows.js';

/** A cursor like the binding's; `fetches` gets the number of rows that each native call had room for. */
function cursorOver(rows: SqlValue[][], fetches: number[]): NativeCursor {
  const rest = [...rows];
  return {
    nextRows: [],
    nextRowIndex: 100,
    next() {
      fetches.push(this.nextRows.length);
      for (let at = 0; at < this.nextRows.length; at += 1) this.nextRows[at] = rest.shift();
      const [first] = this.nextRows;
      this.nextRows[0] = undefined;
      return first === undefined ? { done: true, value: undefined } : { done: false, value: first };
    },
  };
}

function read(rows: SqlValue[][], expectedRowBytes: number | undefined) {
  const fetches: number[] = [];
  const reading = new LibsqlRows(
    cursorOver(rows, fetches),
    (call) => call(),
    expectedRowBytes,
    () => undefined,
  );
  return { values: [...reading].map(([value]) => value), fetches, largestRowBytes: reading.largestRowBytes };
}

it('fetches one row first while nothing is known of the size of rows', () => {
  expect(read([['a']], undefined)).toMatchObject({ values: ['a'], fetches: [1, 4] });
});

it('fetches a single row and the end at once when rows are known to be short', () => {
  expect(read([['a']], 32)).toMatchObject({ values: ['a'], fetches: [2] });
  expect(read([], 32)).toMatchObject({ values: [], fetches: [2] });
});

it('goes on behind the first rows', () => {
  const rows = Array.from({ length: 11 }, (_, n) => [BigInt(n)]);
  expect(read(rows, 32)).toMatchObject({ values: rows.map(([n]) => n), fetches: [2, 8, 32] });
});

it('holds one long row at a time, known beforehand or not', () => {
  const long = Buffer.alloc(200 * 1024);
  const rows = [[long], [long], [long]];
  const first = read(rows, undefined);
  expect(first.fetches).toEqual([1, 1, 1, 1]);
  expect(first.largestRowBytes).toBeGreaterThanOrEqual(long.length);
  expect(read(rows, first.largestRowBytes).fetches).toEqual([1, 1, 1, 1]);
});
