/**
 * Runs what the README tells a person to run: `npm start`, then its worked example, then loses the machine, deletes the
 * cache, starts again and finds the row.
 */
import { spawn, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const dataDirectory = mkdtempSync(join(tmpdir(), 'as-in-readme-'));
const localJson = join(dataDirectory, 'local.json');
const environment = {
  ...process.env,
  TURSO_BYOC_DATA_DIR: dataDirectory,
  TURSO_BYOC_HTTP_PORT: '0',
  TURSO_BYOC_API_PORT: '0',
};

/** Runs `npm start` in a process group of its own and waits until it says that it is ready. */
async function npmStart() {
  rmSync(localJson, { force: true });
  const child = spawn('npm', ['start'], { env: environment, detached: true, stdio: 'inherit' });
  for (let waitedMs = 0; !existsSync(localJson); waitedMs += 100) {
    if (child.exitCode !== null || waitedMs > 120_000) throw new Error('npm start did not become ready');
    await delay(100);
  }
  return child;
}

/** Kills the launcher and everything it started, as a loss of power would. */
async function loseTheMachine(child) {
  const { pid } = JSON.parse(readFileSync(localJson, 'utf8'));
  const all = [pid, ...descendants(pid)];
  for (const victim of all) {
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      // It went with its parent.
    }
  }
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
}

function descendants(pid) {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const below = (parent) => pairs.filter(([, ppid]) => ppid === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const [, example] = /```js\n([\s\S]*?)```/.exec(readme) ?? [];
if (!example) throw new Error('the README has no worked example');
const programs = [];
/** Runs a program below the repository, so that it finds the packages that `npm ci` installed. */
function run(source) {
  const file = new URL(`../control-plane/readme-example-${process.pid}-${programs.length}.mjs`, import.meta.url)
    .pathname;
  programs.push(file);
  writeFileSync(file, source.replaceAll('path/to/.turso-byoc/local.json', localJson));
  return execFileSync(process.execPath, [file], { encoding: 'utf8' });
}

let child;
try {
  child = await npmStart();
  const first = run(example);
  if (!first.includes('hello')) throw new Error(`the worked example printed ${first}`);
  await loseTheMachine(child);
  rmSync(join(dataDirectory, 'cache'), { recursive: true, force: true });
  child = await npmStart();
  const readingOnly = example
    .replace(/await platform\.databases\.create\(.*\n/, '')
    .replace(/await db\.execute\((?:'CREATE|\{).*\n/g, '');
  const second = run(readingOnly);
  if (!second.includes('hello')) throw new Error(`after the loss of the machine the example printed ${second}`);
  process.kill(JSON.parse(readFileSync(localJson, 'utf8')).pid, 'SIGINT');
  await new Promise((resolve) => child.once('exit', resolve));
  console.log('the worked example of the README works, and its row survives the loss of the machine');
} finally {
  for (const file of programs) rmSync(file, { force: true });
  if (child?.exitCode === null) await loseTheMachine(child).catch(() => undefined);
  rmSync(dataDirectory, { recursive: true, force: true });
}
