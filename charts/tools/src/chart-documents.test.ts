import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { chartDocuments } from './chart-documents.js';
import { readChartValues } from './chart-values.js';
import { chartCases, chartDirectory } from './rendered-chart.js';
import { valuesSchema } from './values-schema.js';
import { valuesTable } from './values-table.js';

const annotated = `
# An introduction.

# Names.
# @schema {"pattern": "^[a-z]+$"}
name: ''
deep:
  # How many.
  # @schema {"minimum": 1}
  count: 3
  # Off or on.
  enabled: false
  # @schema {"$ref": "#/$defs/strings"}
  labels: {}
`;

describe('annotated values', () => {
  const values = readChartValues(annotated);

  it('become a schema without unknown keys', () => {
    const validate = new Ajv({ strict: false }).compile(valuesSchema(values));
    expect(validate({ name: 'abc', deep: { count: 1, enabled: true, labels: { a: 'b' } }, global: {} })).toBe(true);
    for (const wrong of [
      { name: '1' },
      { nam: 'a' },
      { deep: { count: 0 } },
      { deep: { count: '1' } },
      { deep: { enabled: 'yes' } },
      { deep: { labels: { a: 1 } } },
      { deep: { more: 1 } },
    ]) {
      expect([wrong, validate(wrong)]).toEqual([wrong, false]);
    }
  });

  it('become a table', () => {
    expect(
      valuesTable(values)
        .split('\n')
        .map((line) => line.replaceAll(/ +/g, ' ')),
    ).toEqual([
      '| value | default | meaning |',
      expect.stringMatching(/^\| -+ \| -+ \| -+ \|$/),
      '| `name` | `""` | Names. |',
      '| `deep.count` | `3` | How many. |',
      '| `deep.enabled` | `false` | Off or on. |',
      '| `deep.labels` | `{}` | |',
    ]);
  });

  it.each([
    ['a: 1\na: 2', /unique/],
    ['# @schema {"type"}\na: 1', /the @schema line of a is not JSON/],
    ['- a', /not a map/],
  ])('are refused when they cannot be read: %j', (text, says) => {
    expect(() => readChartValues(text)).toThrow(says);
  });

  it('must say what a value may be where the default does not', () => {
    expect(() => valuesSchema(readChartValues('a: []'))).toThrow(/add @schema/);
  });
});

describe('the chart', () => {
  it('has the schema and the README that its values make: npm run chart:docs', async () => {
    for (const [path, text] of await chartDocuments(chartDirectory)) expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('describes every value that is not named by itself', async () => {
    const undescribed = (values: ReturnType<typeof readChartValues>): string[] =>
      values.flatMap((value) =>
        value.children ? undescribed(value.children) : value.description === '' ? [value.path.join('.')] : [],
      );
    const named = ['enabled', 'minReplicas', 'maxReplicas', 'replicas', 'podAnnotations', 'annotations', 'name'];
    const missing = undescribed(readChartValues(await readFile(`${chartDirectory}/values.yaml`, 'utf8')));
    expect(missing.filter((path) => !named.includes(path.split('.').at(-1)!))).toEqual([]);
  });

  it('uses every value that it takes, and takes every value that it uses', async () => {
    const leaves = (values: ReturnType<typeof readChartValues>): string[] =>
      values.flatMap((value) => (value.children ? leaves(value.children) : [value.path.join('.')]));
    const taken = leaves(readChartValues(await readFile(`${chartDirectory}/values.yaml`, 'utf8')));
    const entries = await readdir(`${chartDirectory}/templates`, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map(async (file) => readFile(join(file.parentPath, file.name), 'utf8')));
    const templates = texts.join('\n');
    expect(taken.filter((path) => !new RegExp(`\\.${path.split('.').at(-1)!}\\b`).test(templates))).toEqual([]);
    const used = [...templates.matchAll(/\.Values\.([A-Za-z.]+)/g)].map(([, path]) => path!);
    expect(used.length).toBeGreaterThan(20);
    const isKnown = (path: string): boolean => taken.some((each) => each === path || each.startsWith(`${path}.`));
    // `resources` and the like are taken as a whole.
    expect(used.filter((path) => !isKnown(path) && !taken.some((each) => path.startsWith(`${each}.`)))).toEqual([]);
  });

  it('takes the values of every case of the matrix, which are eight or more', async () => {
    const schema = JSON.parse(await readFile(`${chartDirectory}/values.schema.json`, 'utf8')) as object;
    const validate = new Ajv({ strict: false }).compile(schema);
    const cases = await chartCases();
    expect(cases.size).toBeGreaterThanOrEqual(8);
    for (const [name, file] of cases) {
      validate(parse(await readFile(file, 'utf8')));
      expect([name, validate.errors]).toEqual([name, null]);
    }
  });
});
