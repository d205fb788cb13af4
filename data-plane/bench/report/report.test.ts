import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from 'prettier';
import { latencyFigures, medianFigure, singleFigure, target } from './figures.js';
import { formatValue } from './format-value.js';
import { readReport, renderReports, writeReport } from './report-file.js';
import type { Report } from './report.js';
import { plainTable, resultTable, targetTable } from './result-table.js';

const report: Report = {
  format: 'turso-byoc/benchmark/1',
  startedAt: '2026-11-22T14:00:00.000Z',
  durationSeconds: 61.25,
  commit: { hash: '0123456789abcdef0123456789abcdef01234567', dirty: true },
  machine: {
    cpuModel: 'Some CPU',
    cores: 2,
    memoryBytes: 16_000_000_000,
    kernel: 'Linux 6.1',
    node: 'v20.0.0',
    fileSystem: 'ext4',
    fsyncP50Ms: 1.23456789,
    fsyncP99Ms: 4,
    hugePages: 'madvise',
  },
  settings: { budget: 'quick', commitWindowMs: 10 },
  results: [
    { case: 'writers', parameters: { writers: 1 }, figures: [medianFigure('commits', '/s', [100, 99, 1234.5678])] },
    {
      case: 'writers',
      parameters: { writers: 64 },
      figures: [singleFigure('commits', '/s', 5_000), ...latencyFigures('commit', [1, 2, 3])],
    },
  ],
  targets: [target('transactions | log object', 'count', 31, 'at least', 30)],
};
const cases = [
  {
    name: 'writers',
    title: 'Writers',
    explanation: 'What writers do.',
    run: async () => Promise.reject(new Error('no')),
  },
];

describe('figures', () => {
  it('keep their samples and take the median', () => {
    expect(medianFigure('x', 'ms', [5, 1, 3])).toEqual({ name: 'x', unit: 'ms', value: 3, samples: [5, 1, 3] });
  });

  it('meet a target at its bound', () => {
    expect(target('x', 'ms', 5, 'at most', 5).met).toBe(true);
    expect(target('x', 'ms', 5.1, 'at most', 5).met).toBe(false);
    expect(target('x', 'ratio', 0.59, 'at least', 0.6).met).toBe(false);
  });

  it('miss a target that could not be measured', () => {
    expect(target('x', 'ms', NaN, 'at most', 5).met).toBe(false);
  });
});

describe('formatValue', () => {
  it.each([
    [12_345.6, '/s', '12,346/s'],
    [1.234, 'ms', '1.23 ms'],
    [0.0456, 'ms', '0.046 ms'],
    [12.34, 'ms', '12.3 ms'],
    [0.604, 'ratio', '60.4 %'],
    [0.5, 'cores', '0.50'],
    [-1_500, 'bytes', '-1.50 kB'],
    [2_345_678, 'bytes', '2.35 MB'],
    [16_000_000_000, 'bytes', '16 GB'],
    [0, 'count', '0'],
  ] as const)('%d %s is %s', (value, unit, text) => {
    expect(formatValue(value, unit)).toBe(text);
  });
});

describe('tables', () => {
  it('have a column for every parameter and figure', () => {
    expect(resultTable(report.results)).toEqual({
      head: ['writers', 'commits', 'commit p50', 'commit p99'],
      rows: [
        ['1', '100/s', '–', '–'],
        ['64', '5,000/s', '2 ms', '3 ms'],
      ],
    });
  });

  it('line up in a terminal', () => {
    expect(plainTable(targetTable(report.targets)).split('\n')).toEqual([
      'target                     bound        measured  outcome',
      '-------------------------  -----------  --------  -------',
      'transactions | log object  at least 30        31  met',
    ]);
  });
});

describe('results files', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'bench-report-'));
  });
  afterEach(async () => rm(directory, { recursive: true }));

  it('are read as they were written, to four digits', async () => {
    const path = join(directory, 'a.json');
    await writeReport(path, report);
    const read = await readReport(path);
    expect(read.machine.fsyncP50Ms).toBe(1.235);
    expect(read.results[0]?.figures[0]?.samples).toEqual([100, 99, 1235]);
    expect(read.targets).toEqual(report.targets);
  });

  it('must have the shape of a report', async () => {
    const path = join(directory, 'a.json');
    await writeFile(path, JSON.stringify({ ...report, targets: undefined }));
    await expect(readReport(path)).rejects.toThrow(/a\.json is not a results file: .*targets/);
    await writeFile(path, JSON.stringify({ ...report, format: 'turso-byoc/benchmark/2' }));
    await expect(readReport(path)).rejects.toThrow('not a results file');
    await expect(writeReport(path, { ...report, targets: [target('x', 'ms', NaN, 'at most', 1)] })).rejects.toThrow();
  });

  it('become a page that needs no formatting', async () => {
    await writeReport(join(directory, 'first.json'), report);
    await writeReport(join(directory, 'second.json'), { ...report, results: [] });
    const page = await readFile(await renderReports(directory, cases), 'utf8');
    expect(await check(page, { parser: 'markdown' })).toBe(true);
    expect(page).toContain('## first');
    expect(page).toContain('## second');
    expect(page).toContain('`0123456789ab`, with changes that are not committed');
    expect(page).toMatch(/\| 64 +\| 5,000\/s/);
    expect(page).toContain('What writers do.');
    expect(page).toContain('transactions \\| log object');
  });

  it('make a page without any too', async () => {
    expect(await readFile(await renderReports(directory, cases), 'utf8')).toContain('no results files');
  });
});
