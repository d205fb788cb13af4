/** `npm run rust-client-test`: builds the program with Turso Sync for Rust, and runs its test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';

const installer = '.ci/install-rust-client';
const test = 'data-plane/test/clients/rust-sync.test.ts';
const lockFile = 'data-plane/test/clients/rust/Cargo.lock';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Builds a program with the crate turso from crates.io, unchanged, and runs ${test}
with it against a started node: bootstrap, push, pull, both engines, partial replicas, keys that clients hold.

Needs cargo (Rust 1.90 or newer) and a C compiler. The first build takes minutes and 2 GB below ~/.cache/turso-byoc/rust-client
(TURSO_BYOC_RUST_CLIENT names another place); later ones take a second.

  --jobs N        how many compilers run at once (default: cargo's)
  --write FILE    writes versions and the outcome of every test there, as JSON

Ends with 1 when the build or a test fails.`);
  process.exit(0);
}

/** The part of Jest's JSON that is read. */
interface JestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

const run = new KeptRun('rust-client-test');
const jobs = values.jobs === undefined ? [] : ['--jobs', values.jobs];
if (spawnSync(installer, jobs, { stdio: 'inherit' }).status !== 0) process.exit(1);

const directory = await mkdtemp(join(tmpdir(), 'turso-byoc-rust-client-'));
try {
  const report = join(directory, 'report.json');
  spawnSync(
    'bash',
    [
      '-c',
      `eval "$(${installer} --environment)" && exec "$0" "$@"`,
      process.execPath,
      '--experimental-vm-modules',
      'node_modules/jest/bin/jest.js',
      test,
      '--json',
      `--outputFile=${report}`,
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const { testResults } = JSON.parse(await readFile(report, 'utf8')) as JestReport;
  const outcomes = testResults.flatMap(({ assertionResults }) => assertionResults);
  const passed = outcomes.filter(({ status }) => status === 'passed').map(({ title }) => title);
  const failed = outcomes.filter(({ status }) => status !== 'passed').map(({ title }) => title);
  const lock = await readFile(lockFile, 'utf8');
  const versions = {
    turso: lockedVersion(lock, 'turso'),
    turso_sync_engine: lockedVersion(lock, 'turso_sync_engine'),
    rustc: execFileSync('rustc', ['--version'], { encoding: 'utf8' }).trim(),
  };
  if (values.write !== undefined) await run.write(values.write, { versions, result: { passed, failed } });
  // Where the program was not found the only test says so, and passes.
  const isMet = failed.length === 0 && passed.length > 1;
  console.log(`turso ${versions.turso}: ${passed.length} passed, ${failed.length} failed`);
  process.exitCode = isMet ? 0 : 1;
} finally {
  await rm(directory, { recursive: true, force: true });
}

function lockedVersion(lock: string, name: string): string {
  const found = new RegExp(`^name = "${name}"\\nversion = "(.+)"$`, 'm').exec(lock)?.[1];
  if (found === undefined) throw new Error(`${lockFile} has no ${name}`);
  return found;
}
