/** Entry of `npm run bench`. */
import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeSettings } from '@turso-byoc/data-plane/node/settings.js';
import { fullBudget, quickBudget } from './budget.js';
import { allCases } from './cases/all-cases.js';
import { commitWindowMs } from './cases/bench-case.js';
import { parseCommandLine, usage, UsageError, type BenchOptions } from './command-line.js';
import { checkedOutCommit, machineFacts } from './machine/machine-facts.js';
import { renderReports, writeReport } from './report/report-file.js';
import type { Report } from './report/report.js';
import { plainTable, targetTable } from './report/result-table.js';
import { runCases } from './run-cases.js';

const interruptedExitCode = 130;
const repository = fileURLToPath(new URL('../../..', import.meta.url));

async function measure(options: BenchOptions): Promise<Report> {
  const startedAtMs = Date.now();
  const directory = await mkdtemp(join(resolve(options.directory ?? tmpdir()), 'turso-byoc-bench-'));
  // Nothing is kept of a run that is cut short; the processes that it started end with this one.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      rmSync(directory, { recursive: true, force: true });
      process.exit(interruptedExitCode);
    });
  }
  try {
    // Engine processes run as users of their own and must be able to pass through.
    await chmod(directory, 0o711);
    const commit = await checkedOutCommit(repository);
    const machine = await machineFacts(directory);
    const { results, targets } = await runCases({
      cases: allCases.filter(({ name }) => options.only.length === 0 || options.only.includes(name)),
      budget: options.quick ? quickBudget : fullBudget,
      directory,
      progress: (line) => process.stderr.write(`· ${line}\n`),
      print: (text) => process.stdout.write(text),
    });
    return {
      format: 'turso-byoc/benchmark/1',
      startedAt: new Date(startedAtMs).toISOString(),
      durationSeconds: (Date.now() - startedAtMs) / 1000,
      commit,
      machine,
      settings: settings(options, directory),
      results,
      targets,
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What the measured nodes ran with where no case says otherwise. */
function settings({ quick }: BenchOptions, directory: string): Report['settings'] {
  const { engineProcesses, statementDeadlineMs, maxOpenDatabases } = nodeSettings({
    TURSO_BYOC_STORE_DIR: directory,
    TURSO_BYOC_KEY_DIR: directory,
    TURSO_BYOC_CACHE_DIR: directory,
    TURSO_BYOC_ADMIN_CREDENTIAL_FILE: directory,
  });
  return { budget: quick ? 'quick' : 'full', commitWindowMs, engineProcesses, statementDeadlineMs, maxOpenDatabases };
}

async function main(): Promise<void> {
  const options = parseCommandLine(
    process.argv.slice(2),
    allCases.map(({ name }) => name),
  );
  if (options.help) {
    process.stdout.write(usage(allCases));
    return;
  }
  if (options.render !== undefined) {
    process.stdout.write(`${await renderReports(options.render, allCases)}\n`);
    return;
  }
  const report = await measure(options);
  if (report.targets.length > 0) process.stdout.write(`\nTargets\n\n${plainTable(targetTable(report.targets))}\n`);
  const path = options.write ?? join(await mkdtemp(join(tmpdir(), 'turso-byoc-bench-results-')), 'results.json');
  await mkdir(dirname(path), { recursive: true });
  await writeReport(path, report);
  process.stdout.write(`\nResults: ${path}\n`);
  if (options.write !== undefined) process.stdout.write(`Page: ${await renderReports(dirname(path), allCases)}\n`);
}

main().catch((error: unknown) => {
  if (error instanceof UsageError) process.stderr.write(`${error.message}\nSee npm run bench -- --help\n`);
  else console.error(error);
  process.exitCode = 1;
});
