import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { alarms } from '@turso-byoc/data-plane/metering/alarms/alarms.js';
import { prometheusAlerts } from '@turso-byoc/data-plane/metering/alarms/prometheus-rule.js';
import { readChartValues } from './chart-values.js';
import { dashboards } from './dashboards.js';
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
  const generated: (readonly [string, object])[] = [
    [join(chart, 'files', 'alarms.json'), prometheusAlerts(alarms)],
    ...[...dashboards].map(([name, content]) => [join(chart, 'files', 'dashboards', name), content] as const),
  ];
  return new Map([
    ...(await Promise.all(
      generated.map(async ([path, content]) => [path, await formatted(path, JSON.stringify(content))] as const),
    )),
    [schemaFile, await formatted(schemaFile, JSON.stringify(valuesSchema(values)))],
    [readmeFile, await formatted(readmeFile, table)],
  ]);
}

async function formatted(path: string, text: string): Promise<string> {
  return format(text, { ...(await resolveConfig(path)), filepath: path });
}
