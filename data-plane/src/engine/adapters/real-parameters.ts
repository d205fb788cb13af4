import { ParameterNumbering } from '../sql-gate/parameter-numbering.js';
import { TokenCursor } from '../sql-gate/tokenizer.js';
import type { SqlValue } from './adapter.js';

/** Parameters are already counted by the gate; this only has to be large enough. */
const maxParameters = 32_766;

/**
 * The numbers, from 1, of the parameters that the Turso binding would store as INTEGER although they are REAL: JavaScript
 * numbers without a fraction, inside 64 bits. Larger ones and fractions are bound as REAL.
 */
export function wholeRealParameters(parameters: readonly SqlValue[]): number[] {
  const found: number[] = [];
  parameters.forEach((value, index) => {
    if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 63) found.push(index + 1);
  });
  return found;
}

/**
 * The statement with each parameter of `numbers` written as `(+CAST(? AS REAL))`. That expression has exactly the meaning of a
 * REAL parameter: type REAL, and, because of the unary plus, no affinity and no collation of its own, so that comparisons,
 * index use and LIMIT stay as they are. Only the names of result columns that show the expression change; take those
 * from the original statement. Negative zero becomes zero.
 */
export function withRealParameters(sql: string, numbers: readonly number[]): string {
  const wanted = new Set(numbers);
  const numbering = new ParameterNumbering(maxParameters);
  const cursor = new TokenCursor(sql);
  let result = '';
  let copied = 0;
  while (cursor.next()) {
    if (cursor.kind !== 'parameter') continue;
    const text = cursor.text();
    if (!wanted.has(numbering.add(text))) continue;
    result += `${sql.slice(copied, cursor.start)} (+CAST(${text} AS REAL)) `;
    copied = cursor.end;
  }
  return result + sql.slice(copied);
}
