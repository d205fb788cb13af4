import { EngineError } from './adapter.js';

/** SQLite's primary result codes by number (https://www.sqlite.org/rescode.html). */
const primaryCodes: readonly string[] = [
  'SQLITE_OK',
  'SQLITE_ERROR',
  'SQLITE_INTERNAL',
  'SQLITE_PERM',
  'SQLITE_ABORT',
  'SQLITE_BUSY',
  'SQLITE_LOCKED',
  'SQLITE_NOMEM',
  'SQLITE_READONLY',
  'SQLITE_INTERRUPT',
  'SQLITE_IOERR',
  'SQLITE_CORRUPT',
  'SQLITE_NOTFOUND',
  'SQLITE_FULL',
  'SQLITE_CANTOPEN',
  'SQLITE_PROTOCOL',
  'SQLITE_EMPTY',
  'SQLITE_SCHEMA',
  'SQLITE_TOOBIG',
  'SQLITE_CONSTRAINT',
  'SQLITE_MISMATCH',
  'SQLITE_MISUSE',
  'SQLITE_NOLFS',
  'SQLITE_AUTH',
  'SQLITE_FORMAT',
  'SQLITE_RANGE',
  'SQLITE_NOTADB',
];

/** After these the local copy of the database cannot be trusted. SQLITE_FULL is not here: it has a harmless cause too. */
const poisonousCodes = new Set(['SQLITE_IOERR', 'SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_CANTOPEN']);

/** Extended codes that the libSQL binding does not know by name. */
const extendedCodes = new Map([
  [2579, 'SQLITE_CONSTRAINT_ROWID'],
  [2835, 'SQLITE_CONSTRAINT_PINNED'],
  [3091, 'SQLITE_CONSTRAINT_DATATYPE'],
]);

/** Name of an extended result code: the binding's own, or ours where it has none; undefined for an unknown number. */
export function extendedCodeName(resultCode: number, bindingName: string): string | undefined {
  return bindingName.startsWith('SQLITE_') ? bindingName : extendedCodes.get(resultCode);
}

/** Name of the primary code that an extended result code belongs to; `SQLITE_ERROR` for an unknown number. */
export function primaryCodeName(resultCode: number): string {
  return primaryCodes[resultCode & 0xff] ?? 'SQLITE_ERROR';
}

/** Builds the error of a result code; `extendedName` is dropped when it says no more than the primary code. */
export function engineError(code: string, message: string, extendedName?: string, poisons?: boolean): EngineError {
  const extended = extendedName === code ? undefined : extendedName;
  return new EngineError(code, message, extended, poisons ?? poisonousCodes.has(code));
}

/** Throws `SQLITE_MISMATCH` for an integer that SQLite's 64 bits cannot hold. */
export function checkIntegerRange(value: bigint): void {
  if (BigInt.asIntN(64, value) !== value)
    throw engineError('SQLITE_MISMATCH', 'integer parameter does not fit 64 bits');
}
