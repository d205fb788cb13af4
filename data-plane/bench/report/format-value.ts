import type { Unit } from './report.js';

/** A value for people: three significant digits or so, with its unit. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case '/s':
      return `${digits(value)}/s`;
    case 'ms':
      return `${digits(value)} ms`;
    case 'ratio':
      return `${digits(value * 100)} %`;
    case 'cores':
      return value.toFixed(2);
    case 'bytes':
      return formatBytes(value);
    case 'count':
      return digits(value);
    case 'USD':
      return `${value.toFixed(2)} $`;
  }
}

function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size < 1_000) return `${Math.round(bytes)} B`;
  if (size < 1_000_000) return `${digits(bytes / 1_000)} kB`;
  if (size < 1_000_000_000) return `${digits(bytes / 1_000_000)} MB`;
  return `${digits(bytes / 1_000_000_000)} GB`;
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return Math.round(value).toLocaleString('en');
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : 3);
}
