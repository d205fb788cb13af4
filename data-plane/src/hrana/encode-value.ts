/** JSON text of values, by hand: this is the inner loop of every query. */
import type { ColumnInfo, SqlValue } from '../engine/adapters/adapter.js';

/** What JSON does not take as it stands; surrogates because a lone one must be escaped. */
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/;

export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** A value in Hrana's JSON. Integers are decimal strings, NaN and infinities null, blobs base64 without padding. */
export function encodeValue(value: SqlValue): string {
  if (value === null) return '{"type":"null"}';
  if (typeof value === 'string') return `{"type":"text","value":${quote(value)}}`;
  if (typeof value === 'bigint') return `{"type":"integer","value":"${value}"}`;
  if (typeof value !== 'number') return `{"type":"blob","base64":"${encodeBase64(value)}"}`;
  return Number.isFinite(value) ? `{"type":"float","value":${encodeFloat(value)}}` : '{"type":"null"}';
}

/** A row: `[value,…]`. */
export function encodeRow(values: readonly SqlValue[]): string {
  let row = '[';
  for (let column = 0; column < values.length; column++) {
    const value = encodeValue(values[column] ?? null);
    row += column === 0 ? value : `,${value}`;
  }
  return `${row}]`;
}

const encodedColumns = new WeakMap<readonly ColumnInfo[], string>();

/** Result columns: `[{"name":…,"decltype":…},…]`. Remembered as long as the prepared statement keeps its columns. */
export function encodeColumns(columns: readonly ColumnInfo[]): string {
  let text = encodedColumns.get(columns);
  if (text === undefined) {
    text = `[${columns.map(encodeColumn).join(',')}]`;
    encodedColumns.set(columns, text);
  }
  return text;
}

function encodeColumn({ name, declaredType }: ColumnInfo): string {
  return `{"name":${quote(name)},"decltype":${declaredType === null ? 'null' : quote(declaredType)}}`;
}

/** A float stays recognisable as one: 1.0, -0.0. */
function encodeFloat(value: number): string {
  if (!Number.isInteger(value)) return String(value);
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return text.includes('e') ? text : `${text}.0`;
}

function encodeBase64(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  const padding = text.indexOf('=');
  return padding < 0 ? text : text.slice(0, padding);
}
