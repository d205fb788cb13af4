/** `npm run runaway`: how soon a database answers again after a statement of it was stopped, measured. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { runawayRun, type RunawayRound } from './runaway-run.js';

const boundMs = 1_000;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: '10000' },
    deadline: { type: 'string', default: '1000' },
    standby: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Stops a statement without end and measures when its database, and a neighbour, answer again.

  --rounds N     how often, for each engine (default 5)
  --rows N       rows of 1,000 bytes in each database (default 10000)
  --deadline N   statement deadline in milliseconds (default 1000)
  --standby 0    without an engine process that stands by`);
  process.exit(0);
}

const columns: [string, (round: RunawayRound) => number][] = [
  ['error after the deadline', ({ stoppedAfterMs }) => stoppedAfterMs],
  ['its database answers after the error', ({ answersAfterMs }) => answersAfterMs],
  ['neighbour answers after the deadline', ({ neighbourAfterMs }) => neighbourAfterMs],
];
/** What the machine takes for the least of it, a Node.js process that does nothing: says how busy it is otherwise. */
function bareProcessMs(): number {
  const startedMs = performance.now();
  spawnSync(process.execPath, ['-e', '0']);
  return performance.now() - startedMs;
}

let isMet = true;
for (const engine of ['libsql', 'tursodb'] as const) {
  const rounds = await runawayRun({
    engine,
    rounds: Number(values.rounds),
    rows: Number(values.rows),
    deadlineMs: Number(values.deadline),
    standby: values.standby,
  });
  console.log(`\n${engine.padEnd(40)}${['median (ms)', 'max (ms)'].map((head) => head.padStart(12)).join('')}`);
  for (const [name, of] of columns) {
    const sorted = rounds.map(of).sort((one, other) => one - other);
    const cells = [sorted[sorted.length >> 1] ?? Number.NaN, sorted.at(-1) ?? Number.NaN];
    console.log(name.padEnd(40) + cells.map((ms) => ms.toFixed(0).padStart(12)).join(''));
  }
  console.log(`${'a bare Node.js process, now'.padEnd(40)}${bareProcessMs().toFixed(0).padStart(12)}`);
  const worst = Math.max(...rounds.map(({ answersAfterMs }) => answersAfterMs));
  isMet &&= worst <= boundMs;
  console.log(`${worst <= boundMs ? 'met   ' : 'missed'} its database answers within ${boundMs} ms`);
}
process.exit(isMet ? 0 : 1);
