/**
 * Checks the models of the protocol: the correct ones must hold for every order of steps within their bounds, every named
 * breakage must be caught by an invariant, and every witness must be reachable. Exit code 1 when anything is otherwise.
 *
 *   docs/model/check                    everything that CI runs
 *   docs/model/check --wide             larger bounds as well: minutes, and up to 3.8 GB of memory
 *   docs/model/check --trail SKIP_SEAL  the shortest run that breaks an invariant
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const runTimeoutMs = 600_000;

const correct = [
  ['takeover', 'one database, two successors', { DATABASES: 1, POSITIONS_E: 3 }],
  ['takeover', 'two databases, one successor', { DATABASES: 2, POSITIONS_E: 3, SUCCESSORS: 1 }],
  ['takeover', 'a successor that writes more', { DATABASES: 1, POSITIONS_E: 2, POSITIONS_R: 2 }],
  ['takeover', 'two databases, two successors', { DATABASES: 2, POSITIONS_E: 1 }],
  ['takeover', 'packs', { DATABASES: 1, POSITIONS_E: 2, PACKS: 1 }],
  ['lease', 'lease', {}],
  ['quorum', 'three zones, two recoverers', { POSITIONS: 1 }],
  ['quorum', 'three zones, more log', { POSITIONS: 2, RECOVERERS: 1 }],
  ['quorum', 'three zones, one object in flight', { POSITIONS: 2, IN_FLIGHT: 1, RECOVERERS: 1 }],
];

const wide = [
  ['takeover', 'one database, two successors, more log', { DATABASES: 1, POSITIONS_E: 3, POSITIONS_R: 1 }],
  ['takeover', 'two databases, two successors, more log', { DATABASES: 2, POSITIONS_E: 2 }],
  ['takeover', 'packs, more log', { DATABASES: 1, POSITIONS_E: 3, PACKS: 1 }],
  ['takeover', 'three objects in flight', { DATABASES: 1, POSITIONS_E: 3, POSITIONS_R: 1, IN_FLIGHT: 3 }],
  ['quorum', 'three zones, two recoverers, more log', { POSITIONS: 2 }],
  ['quorum', 'three zones, one object in flight, more', { POSITIONS: 3, IN_FLIGHT: 1, RECOVERERS: 1 }],
];

/** Bounds in which breakages and witnesses are looked for, breadth first: the shortest run is found. */
const small = { BREADTH_FIRST: '', DATABASES: 1, POSITIONS_E: 2, POSITIONS_R: 1 };
const longer = { ...small, POSITIONS_E: 3 };
const packs = { ...small, PACKS: 1 };
const zones = { BREADTH_FIRST: '', POSITIONS: 1 };
const oneRecoverer = { BREADTH_FIRST: '', POSITIONS: 2, RECOVERERS: 1 };
const oneInFlight = { ...oneRecoverer, IN_FLIGHT: 1 };
const twoDatabases = { ...small, DATABASES: 2, POSITIONS_R: 0, SUCCESSORS: 1 };

const breakages = [
  ['takeover', 'ACKNOWLEDGE_BEFORE_STORED', small],
  ['takeover', 'ACKNOWLEDGE_OUT_OF_ORDER', small],
  ['takeover', 'LOST_TAKEN_FOR_WON', small],
  ['takeover', 'TOO_MANY_IN_FLIGHT', longer],
  ['takeover', 'REOPEN_BEFORE_RESOLVED', small],
  ['takeover', 'CONDEMN_UNCONDITIONAL', small],
  ['takeover', 'WALK_ABOVE_MARK', small],
  ['takeover', 'SKIP_SEAL', small],
  ['takeover', 'SEAL_TAKEN_FOR_HOLE', small],
  ['takeover', 'NO_SECOND_LOOK', longer],
  ['takeover', 'RECORD_OVERWRITTEN', small],
  ['takeover', 'CLAIM_WITHOUT_RECORD', small],
  ['takeover', 'CLAIM_UNCONDITIONAL', small],
  ['takeover', 'CLAIM_REPEATED', small],
  ['takeover', 'TERM_NOT_RAISED', small],
  ['takeover', 'FOLD_UNCONDITIONAL', small],
  ['takeover', 'GIVEN_UP_FOLD_FORGETS', small],
  ['takeover', 'MARK_BEFORE_SWING', small],
  ['takeover', 'MARK_IGNORES_IN_FLIGHT', small],
  ['takeover', 'MARK_IGNORES_RESTORE', small],
  ['takeover', 'MARK_OF_ONE_DATABASE', twoDatabases],
  ['takeover', 'DELETE_BEFORE_MARK', small],
  ['takeover', 'SEAL_COLLECTED', small],
  ['takeover', 'PACK_NOT_NAMED', packs],
  ['takeover', 'PACK_AFTER_END', packs],
  ['takeover', 'MARK_BEFORE_PACK', packs],
  ['lease', 'NO_MARGIN', {}],
  ['lease', 'LEASE_FROM_ANSWER', {}],
  ['lease', 'LEASE_FROM_RETRY', {}],
  ['lease', 'MONOTONIC_CLOCK_ONLY', {}],
  ['lease', 'WALL_CLOCK_ONLY', {}],
  ['lease', 'CHECK_BEFOREHAND', {}],
  ['lease', 'RENEW_UNCONDITIONAL', {}],
  ['lease', 'OBSERVED_FROM_SENDING', {}],
  ['lease', 'CONDEMN_EARLY', {}],
  ['lease', 'CONDEMN_UNCONDITIONAL', {}],
  ['lease', 'CLAIM_WITHOUT_CONDEMNING', {}],
  ['quorum', 'ACKNOWLEDGE_ON_ONE', zones],
  ['quorum', 'REFUSAL_TAKEN_FOR_CONFIRMATION', zones],
  ['quorum', 'ENTRY_OVER_SEAL', zones],
  ['quorum', 'SEAL_IN_ONE', zones],
  ['quorum', 'SEAL_TAKEN_WITHOUT_CREATING', zones],
  ['quorum', 'ENTRY_BESIDE_SEAL_DROPPED', zones],
  ['quorum', 'REPLACED_ZONE_COUNTS', zones],
  ['quorum', 'REPLACED_IN_ITS_PLACE', zones],
  ['quorum', 'PART_CHECKED_FIRST', { ...zones, RECOVERERS: 1 }],
  ['quorum', 'NO_COPIES', zones],
  ['quorum', 'RECORD_BEFORE_COPIES', zones],
  ['quorum', 'RECORD_OVERWRITTEN', zones],
  ['quorum', 'RECORD_BEFORE_ALL_IS_STORED', zones],
  ['quorum', 'DELETE_BEFORE_MARK', zones],
  ['quorum', 'SEAL_COLLECTED', zones],
  ['quorum', 'TOO_MANY_IN_FLIGHT', oneInFlight],
  ['quorum', 'NO_SECOND_LOOK', oneInFlight],
  ['quorum', 'SEAL_ABOVE_PROVES_LOSS', { ...oneInFlight, RECOVERERS: 2 }],
].map(([model, name, bounds]) => [model, name, { ...bounds, [name]: '' }]);

/** Runs that must exist, or the models would hold because nothing happens in them. */
const witnesses = [
  ['takeover', 'ACKNOWLEDGED_IS_SERVED', small],
  ['takeover', 'STORED_UNACKNOWLEDGED_IS_KEPT', small],
  ['takeover', 'ABOVE_THE_SEAL_IS_GONE', small],
  ['takeover', 'SERVED_FROM_A_DELETED_LOG', small],
  ['takeover', 'SECOND_SUCCESSOR_SERVES', small],
  ['takeover', 'STALE_FOLD_LOSES', small],
  ['takeover', 'SERVED_FROM_A_PACK', packs],
  ['lease', 'CLAIMED_AFTER_RENEWALS', {}],
  ['lease', 'ANSWERED_AT_THE_LAST_MOMENT', {}],
  ['quorum', 'LONE_ENTRY_RECORDED', zones],
  ['quorum', 'LONE_ENTRY_DROPPED', zones],
  ['quorum', 'ACKNOWLEDGED_AFTER_THE_RECORD', zones],
  ['quorum', 'ENDED_WITHOUT_A_ZONE', zones],
  ['quorum', 'OTHER_VIEW_ADOPTED', zones],
  ['quorum', 'ENDED_BESIDE_A_REPLACED_ZONE', zones],
  ['quorum', 'SERVED_FROM_A_COPY', zones],
].map(([model, name, bounds]) => [model, name, { ...bounds, WITNESS: name }]);

const defines = (switches) =>
  Object.entries(switches).map(([name, value]) => `-D${name}${value === '' ? '' : `=${value}`}`);

/** Output of a command, whatever its exit code; throws when it cannot run, or is killed. */
async function output(directory, command, commandArguments) {
  return new Promise((resolve, reject) => {
    const options = { cwd: directory, timeout: runTimeoutMs, maxBuffer: 256 * 1024 * 1024 };
    execFile(command, commandArguments, options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ code: error?.code ?? 0, text: stdout + stderr });
    });
  });
}

async function must(directory, command, commandArguments) {
  const { code, text } = await output(directory, command, commandArguments);
  if (code !== 0) throw new Error(`${command} failed: ${text}`);
  return text;
}

/** Runs one search. `found` is `none`, the source line of the violated assertion, or why the search says nothing. */
async function search([model, name, switches], { breadthFirst = false, memoryMegabytes = 1_900 }) {
  const directory = mkdtempSync(join(tmpdir(), 'protocol-model-'));
  try {
    const source = join(here, `${model}.pml`);
    const compile = ['-w', '-DSAFETY', `-DMEMLIM=${memoryMegabytes}`, '-o', 'pan', 'pan.c'];
    await must(directory, 'spin', ['-a', ...defines(switches), source]);
    await must(directory, 'gcc', [...(breadthFirst ? ['-O0', '-DBFS'] : ['-O2']), ...compile]);
    const { text } = await output(directory, './pan', ['-m100000']);
    const number = (pattern) => pattern.exec(text)?.[1] ?? '?';
    const result = {
      name,
      states: number(/(\d+) states, stored/),
      depth: number(/depth reached (\d+)/),
      seconds: number(/elapsed time ([\d.e+-]+)/),
    };
    const errors = number(/errors: (\d+)/);
    const isCut = /Search not completed|max search depth too small|out of memory|memory limit/.test(text);
    if (errors === '0') return { ...result, found: isCut ? 'the search was cut off' : 'none' };
    if (errors !== '1') return { ...result, found: `no result: ${text.slice(-300)}` };
    const trail = await output(directory, 'spin', ['-p', '-k', `${model}.pml.trail`, ...defines(switches), source]);
    const line = Number(/pml:(\d+), Error: assertion violated/.exec(trail.text)?.[1] ?? 0);
    const found = readFileSync(source, 'utf8').split('\n')[line - 1]?.trim() ?? 'an error that is not an assertion';
    return { ...result, found, trail: trail.text };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** As many at once as there are processors, two at the most, so that all together stay below 4 GB. */
async function searchAll(list, options, onResult) {
  const rest = [...list];
  const worker = async () => {
    for (let next = rest.shift(); next; next = rest.shift()) onResult(await search(next, options), next[0]);
  };
  await Promise.all(Array.from({ length: Math.min(options.atOnce ?? 2, availableParallelism()) }, worker));
}

function toolsMissing() {
  const missing = ['spin', 'gcc'].filter((tool) => spawnSync(tool, ['--version']).error);
  for (const tool of missing)
    console.log(`skipped: the check of the protocol models needs ${tool}, which is not installed`);
  return missing.length > 0;
}

async function printTrail(name) {
  const wanted = [...breakages, ...witnesses].find(([, known]) => known === name);
  if (!wanted) throw new Error(`${name} is neither a breakage nor a witness`);
  const { trail, found } = await search(wanted, { breadthFirst: true });
  const steps = trail
    ?.split('\n')
    .filter((line) => /proc\s+\d+ .*\.pml:\d+/.test(line) && !line.includes('[sub-sequence]'));
  console.log(steps?.map((line) => line.replace(/(\/\S*\/)(\w+\.pml)/, '$2').trimEnd()).join('\n'));
  console.log(found);
}

async function checkAll(isWide) {
  let unexpected = 0;
  const row = (what, { name, states, depth, seconds, found }, isExpected, says) => {
    if (!isExpected) unexpected += 1;
    const numbers = `${states.padStart(9)} states, depth ${depth.padStart(4)}, ${seconds.padStart(6)} s`;
    console.log(
      `${isExpected ? 'ok    ' : 'NOT OK'} ${what.padEnd(9)} ${name.padEnd(40)} ${numbers}  ${isExpected ? says : found}`,
    );
  };
  const holds = (result, model) => row(model, result, result.found === 'none', 'holds, searched in full');
  await searchAll(correct, {}, holds);
  if (isWide) await searchAll(wide, { atOnce: 1, memoryMegabytes: 3_800 }, holds);
  await searchAll(breakages, { breadthFirst: true }, (result) => {
    const invariant = /invariant: (.*?) \*\//.exec(result.found)?.[1];
    row('breakage', result, invariant !== undefined, `caught: ${invariant}`);
  });
  await searchAll(witnesses, { breadthFirst: true }, (result) => {
    row('witness', result, result.found.includes(result.name), 'reached');
  });
  console.log(unexpected === 0 ? 'the models hold, and every breakage is caught' : `${unexpected} not as expected`);
  return unexpected === 0;
}

const [option, name] = process.argv.slice(2);
if (!toolsMissing()) {
  if (option === '--trail') await printTrail(name);
  else if (!(await checkAll(option === '--wide'))) process.exitCode = 1;
}
