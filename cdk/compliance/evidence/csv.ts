import type { EvidenceSection } from './evidence-section.js';

/**
 * The rows of a section as RFC 4180 has them. A cell that a spreadsheet would take for a formula gets an apostrophe in front:
 * names and reasons come from configuration, and evidence is opened by people who trust it.
 */
export function asCsv({ columns, rows }: Pick<EvidenceSection, 'columns' | 'rows'>): string {
  return [columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

function cell(value: string): string {
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
