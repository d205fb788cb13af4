/**
 * Runs one probe process through a launch chain and returns what it saw. A chain is good when the probe could read the
 * application, could work in its directory, and could be killed; anything else throws with the reason.
 */
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineDirectory } from './engine-directory.js';
import type { Observation } from './sandbox-report.js';

export interface ProbeCommand {
  /** Program and arguments up to and including the Node.js binary. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Must be readable: files, or directories of which every entry is named. */
  readonly readable: readonly string[];
  readonly directory: EngineDirectory;
  readonly timeoutMs: number;
}

const script = String.raw`
const fs = require('node:fs');
const path = require('node:path');
const [directory, ...readable] = process.argv.slice(1);
for (const item of readable) {
  if (fs.statSync(item).isDirectory()) fs.readdirSync(item);
  else fs.closeSync(fs.openSync(item, 'r'));
}
const copied = fs.readFileSync(path.join(directory, 'in'));
fs.writeFileSync(path.join(directory, 'out'), copied);
const read = (file) => {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
};
const status = read('/proc/self/status');
const field = (name) => status?.match(new RegExp('^' + name + ':[ \\t]*(.*)$', 'm'))?.[1]?.trim();
const limits = read('/proc/self/limits');
const limit = (name) => {
  const text = limits?.match(new RegExp('^Max ' + name + '\\s+(\\S+)', 'm'))?.[1];
  return text === undefined ? undefined : text === 'unlimited' ? -1 : Number(text);
};
const noNewPrivileges = field('NoNewPrivs') === '1';
const empty = (name) => /^0+$/.test(field(name) ?? '');
const devices = read('/proc/self/net/dev');
let filesRestricted = false;
try {
  fs.closeSync(fs.openSync('/etc/passwd', 'r'));
} catch (error) {
  filesRestricted = error.code === 'EACCES';
}
const groups = field('Groups');
console.log(JSON.stringify({
  environment: Object.keys(process.env),
  uid: process.getuid?.(),
  groups: groups === undefined ? undefined : groups.split(/\s+/).filter(Boolean).length,
  noNewPrivileges,
  withoutCapabilities:
    ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].every(empty) && (noNewPrivileges || empty('CapBnd')),
  interfaces: devices?.split('\n').slice(2).filter((line) => line.includes(':') && !/^\s*lo:/.test(line)).length,
  seccomp: field('Seccomp') === '2',
  filesRestricted,
  umask: process.umask(),
  hugePagesDisabled: field('THP_enabled') === '0',
  coreBytes: limit('core file size'),
  stackBytes: limit('stack size'),
  openFiles: limit('open files'),
  dataBytes: limit('data size'),
}));
setInterval(() => {}, 1000);
process.stdin.on('end', () => process.exit()).resume();
`;

/** Runs the probe. Throws an `Error` whose message is one line for the report. */
export async function runProbe(probe: ProbeCommand): Promise<Observation> {
  const { path } = await probe.directory.createDatabaseDirectory('probe');
  await writeFile(join(path, 'in'), 'probe');
  await probe.directory.handOver(path);
  const [program = '', ...chain] = probe.command;
  const observation = await observe(program, [...chain, '-e', script, '--', path, ...probe.readable], probe);
  if ((await readFile(join(path, 'out'), 'utf8')) !== 'probe') throw new Error('its files cannot be read back');
  return observation;
}

async function observe(program: string, argv: readonly string[], probe: ProbeCommand): Promise<Observation> {
  const child = spawn(program, argv, { env: { ...probe.environment }, cwd: '/', stdio: 'pipe' });
  let output = '';
  let complaint = '';
  let killed = false;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      complaint = `no answer within ${probe.timeoutMs} ms`;
      child.stdin.end();
      child.kill('SIGKILL');
      reject(new Error(complaint));
    }, probe.timeoutMs);
    child.stdin.on('error', (error) => (complaint ||= error.message));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (complaint.length < 2000) complaint += text;
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.endsWith('\n') && !killed) {
        killed = child.kill('SIGKILL');
        if (!killed) child.stdin.end();
      }
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      clearTimeout(timer);
      if (killed && signal === 'SIGKILL') resolve(parseObservation(output));
      else if (output.endsWith('\n')) reject(new Error('the I/O process may not kill it'));
      else reject(new Error(firstTellingLine(complaint)));
    });
  });
}

/** The line that names the cause: of a JavaScript error the message, otherwise the first line. */
function firstTellingLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0] ?? 'it ended without a word').trim();
}

function parseObservation(output: string): Observation {
  const seen = JSON.parse(output) as Observation;
  const limit = (value: number | undefined): number | undefined => (value === -1 ? Infinity : value);
  return {
    ...seen,
    coreBytes: limit(seen.coreBytes),
    stackBytes: limit(seen.stackBytes),
    openFiles: limit(seen.openFiles),
    dataBytes: limit(seen.dataBytes),
  };
}
