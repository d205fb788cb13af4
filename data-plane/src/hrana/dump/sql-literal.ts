import { isUtf8 } from 'node:buffer';
import type { SqlValue } from '../../engine/adapters/adapter.js';

/**
 * A value as SQL text that gives exactly the same value again. Text comes as its bytes, with `isText`: what is not UTF-8 or
 * holds a NUL cannot stand in SQL text as it is.
 */
export function sqlLiteral(value: SqlValue, isText: boolean): string {
  if (value === null) return 'NULL';
  if (typeof value === 'bigint') return integerLiteral(value);
  if (typeof value === 'number') return realLiteral(value);
  if (typeof value === 'string') return quoted(value);
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (isText && isUtf8(bytes) && !bytes.includes(0)) return quoted(bytes.toString('utf8'));
  const hex = `X'${bytes.toString('hex')}'`;
  return isText ? `CAST(${hex} AS TEXT)` : hex;
}

/** A name as SQL text. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The smallest integer has no literal: its digits alone are too many. */
function integerLiteral(value: bigint): string {
  return value === -(2n ** 63n) ? '(-9223372036854775807-1)' : String(value);
}

function realLiteral(value: number): string {
  if (value === Infinity) return '9e999';
  if (value === -Infinity) return '-9e999';
  const text = String(value);
  return /[.e]/u.test(text) ? text : `${text}.0`;
}
