import { formatValue } from './format-value.js';
import type { Result, Target } from './report.js';

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** One table of the results of one case: their parameters, then their figures; `–` where a result lacks one. */
export function resultTable(results: readonly Result[]): Table {
  const parameters = unique(results.flatMap((result) => Object.keys(result.parameters)));
  const figures = unique(results.flatMap((result) => result.figures.map(({ name }) => name)));
  const rows = results.map((result) => [
    ...parameters.map((name) => String(result.parameters[name] ?? '–')),
    ...figures.map((name) => {
      const figure = result.figures.find((candidate) => candidate.name === name);
      return figure === undefined ? '–' : formatValue(figure.value, figure.unit);
    }),
  ]);
  return { head: [...parameters, ...figures], rows };
}

export function targetTable(targets: readonly Target[]): Table {
  return {
    head: ['target', 'bound', 'measured', 'outcome'],
    rows: targets.map(({ name, unit, value, comparison, bound, met }) => [
      name,
      `${comparison} ${formatValue(bound, unit)}`,
      formatValue(value, unit),
      met ? 'met' : 'missed',
    ]),
  };
}

/** For a terminal: columns side by side, numbers to the right. */
export function plainTable({ head, rows }: Table): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isNumeric = head.map((_, column) => rows.every((row) => /^[-–\d]/.test(row[column] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        isNumeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

export function markdownTable({ head, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
