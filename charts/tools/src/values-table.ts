import type { ChartValue } from './chart-values.js';

/** A Markdown table of all values, one line for each that can be set. */
export function valuesTable(values: readonly ChartValue[]): string {
  const rows = values.flatMap((value) => rowsOf(value));
  const table = [['value', 'default', 'meaning'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head = [], ...body] = table;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function rowsOf(value: ChartValue): string[][] {
  const name = `\`${value.path.join('.')}\``;
  const meaning = value.description.replaceAll('|', '\\|').replaceAll('*', '\\*').replaceAll('<', '\\<');
  if (value.children === undefined) return [[name, `\`${JSON.stringify(value.defaultValue)}\``, meaning]];
  const own = value.description === '' ? [] : [[name, '', meaning]];
  return [...own, ...value.children.flatMap((child) => rowsOf(child))];
}
