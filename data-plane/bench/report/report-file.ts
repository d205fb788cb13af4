import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { format, resolveConfig } from 'prettier';
import type { BenchCase } from '../cases/bench-case.js';
import { reportSchema } from './report-schema.js';
import type { Report } from './report.js';
import { reportPage } from './report-page.js';

const isReport = new Ajv({ allowUnionTypes: true }).compile<Report>(reportSchema);
const significantDigits = 4;

/** Writes a report as a results file. Throws `Error` when it is not one by its own schema. */
export async function writeReport(path: string, report: Report): Promise<void> {
  const rounded = JSON.stringify(report, (_key, value: unknown) => (typeof value === 'number' ? round(value) : value));
  assertReport(path, JSON.parse(rounded));
  await writeFormatted(path, rounded, 'json');
}

/** Reads a results file. Throws `Error` when it is none. */
export async function readReport(path: string): Promise<Report> {
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  assertReport(path, value);
  return value;
}

/** Makes `README.md` in `directory` from the results files there; returns its path. */
export async function renderReports(directory: string, cases: readonly BenchCase[]): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).sort();
  const reports = await Promise.all(
    names.map(async (name) => ({ name: basename(name, '.json'), report: await readReport(join(directory, name)) })),
  );
  const path = join(directory, 'README.md');
  await writeFormatted(path, reportPage(reports, cases), 'markdown');
  return path;
}

/** In the form that the repository's formatter gives such files in this place. */
async function writeFormatted(path: string, text: string, parser: 'json' | 'markdown'): Promise<void> {
  const config = await resolveConfig(join(dirname(path), 'x'));
  await writeFile(path, await format(text, { ...config, parser }));
}

function assertReport(path: string, value: unknown): asserts value is Report {
  if (isReport(value)) return;
  const [error] = isReport.errors ?? [];
  throw new Error(`${path} is not a results file: ${error?.instancePath ?? ''} ${error?.message ?? ''}`);
}

function round(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(significantDigits));
}
