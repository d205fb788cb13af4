import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { readChartValues } from './chart-values.js';
import { valuesSchema } from './values-schema.js';
import { valuesTable } from './values-table.js';

const [begin, end] = ['<!-- values: made by npm run chart:docs -->', '<!-- end of values -->'];

/** The generated files of a chart as they ought to be, by their path. */
export async function chartDocuments(chart: string): Promise<ReadonlyMap<string, string>> {
  const values = readChartValues(await readFile(join(chart, 'values.yaml'), 'utf8'));
  const [schemaFile, readmeFile] = [join(chart, 'values.schema.json'), join(chart, 'README.md')];
  const readme = await readFile(readmeFile, 'utf8');
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${readmeFile} has no place for the values: ${begin} … ${end}`);
  const table = `${readme.slice(0, from)}${begin}\n\n${valuesTable(values)}\n\n${readme.slice(to)}`;
  return new Map([
    [schemaFile, await formatted(schemaFile, JSON.stringify(valuesSchema(values)))],
    [readmeFile, await formatted(readmeFile, table)],
  ]);
}

async function formatted(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}
