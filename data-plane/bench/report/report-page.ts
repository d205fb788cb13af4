import type { BenchCase } from '../cases/bench-case.js';
import { formatValue } from './format-value.js';
import { markdownTable, resultTable, targetTable } from './result-table.js';
import type { Report } from './report.js';

const introduction = `# Benchmarks

This page is made by \`npm run bench\` from the results files beside it; nothing in it is written by hand. Each file holds
machine, commit, settings, every figure and the samples it was made of.

What is compared runs on the same machine in the same run, in turns, so that the ratios hold where the absolute figures do
not. To measure on your own machine: \`npm run bench\`, or \`npm run bench -- --write docs/benchmarks/<name>.json\` to keep
the results and make this page again.`;

/** The page about some results files. */
export function reportPage(
  reports: readonly { readonly name: string; readonly report: Report }[],
  cases: readonly Pick<BenchCase, 'name' | 'title' | 'explanation'>[],
): string {
  const none = ['There are no results files yet.'];
  const sections =
    reports.length === 0 ? none : reports.flatMap(({ name, report }) => reportSection(name, report, cases));
  return [introduction, ...sections].join('\n\n');
}

function reportSection(
  name: string,
  report: Report,
  cases: readonly Pick<BenchCase, 'name' | 'title' | 'explanation'>[],
): string[] {
  const { machine, commit, settings } = report;
  const settingsText = Object.entries(settings).map(([key, value]) => `${key}: ${value}`);
  const facts = [
    `Results file: [\`${name}.json\`](${name}.json)`,
    `Measured: ${report.startedAt}, in ${Math.round(report.durationSeconds / 60)} minutes`,
    `Commit: \`${commit.hash.slice(0, 12)}\`${commit.dirty ? ', with changes that are not committed' : ''}`,
    `Machine: ${machine.cores} × ${machine.cpuModel}, ${formatValue(machine.memoryBytes, 'bytes')} memory, ` +
      `${machine.kernel}, Node.js ${machine.node}, transparent huge pages ${machine.hugePages}`,
    `Disk: ${machine.fileSystem}; fsync p50 ${formatValue(machine.fsyncP50Ms, 'ms')}, ` +
      `p99 ${formatValue(machine.fsyncP99Ms, 'ms')}`,
    `Settings: ${settingsText.join('; ')}`,
  ];
  const parts = [`## ${name}`, facts.map((fact) => `- ${fact}`).join('\n')];
  if (report.targets.length > 0) parts.push('### Targets', markdownTable(targetTable(report.targets)));
  for (const { name: caseName, title, explanation } of cases) {
    const results = report.results.filter((result) => result.case === caseName);
    if (results.length > 0) parts.push(`### ${title}`, explanation, markdownTable(resultTable(results)));
  }
  return parts;
}
