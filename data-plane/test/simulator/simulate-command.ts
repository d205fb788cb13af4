/** `npm run simulate`: many runs of the simulator, from the command line. */
import { parseArgs } from 'node:util';
import { mutations } from './mutation/mutations.js';
import { runMutation } from './mutation/run-mutation.js';
import { allSchedules } from './scenario/all-schedules.js';
import { simulate, type SimulationOptions } from './run/simulation.js';
import { workloadNames, type WorkloadName } from './run/workload.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    'crash-at': { type: 'string' },
    'crash-everywhere': { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    schedules: { type: 'boolean', default: false },
    workload: { type: 'string', default: 'plain' },
    only: { type: 'string', default: '' },
    'until-failure': { type: 'boolean', default: false },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Runs data nodes under virtual time, with faulty stores and networks, and checks what clients saw.

  --seeds N            how many runs (default 100)
  --from S             seed of the first run (default 1)
  --workload NAME      what the runs are about: ${workloadNames.join(', ')} (default plain)
  --until-failure      stops after the first run that failed
  --crash-everywhere   no other faults; for every seed, one run for each request to a store, in which the node that
                       makes it dies: once before the request leaves, once after
  --crash-at K[+]      one such run: the K-th request; with +, after it has left
  --mutations          breaks the product deliberately, in one way after the other, and tells which are noticed
                       within --seeds runs, or by the schedule that is meant for it
  --schedules          plays the named schedules instead, each with every seed
  --only TEXT          of the mutations or schedules: those whose name contains it
  --trace              prints everything that happened in each run; use with --seeds 1
  --help               this text

A failure prints its seed. The same seed gives the same run, event by event.`);
  process.exit(0);
}

const [from, seeds] = [Number(values.from), Number(values.seeds)];
if (!Number.isSafeInteger(from) || !Number.isSafeInteger(seeds) || seeds < 1) {
  console.error('--from and --seeds take whole numbers; see --help');
  process.exit(2);
}
const workload = workloadNamed(values.workload);
const shortMs = 1_500;
let currentSeed = from;
process.on('unhandledRejection', (error) => {
  // It would end the process of a real node.
  console.log(`seed ${currentSeed} FAILED: a rejection that nobody handles: ${String(error)}`);
  process.exit(1);
});
process.exit((await command()) ? 0 : 1);

async function command(): Promise<boolean> {
  if (values.mutations) return tryMutations();
  if (values.schedules) return playSchedules();
  return values['crash-everywhere'] ? crashEverywhere() : run();
}

function workloadNamed(wanted: string): WorkloadName {
  const found = workloadNames.find((name) => name === wanted);
  if (found !== undefined) return found;
  console.error(`--workload is one of ${workloadNames.join(', ')}`);
  process.exit(2);
}

async function playSchedules(): Promise<boolean> {
  let [played, failed] = [0, 0];
  for (const { name, play } of allSchedules.filter((schedule) => schedule.name.includes(values.only))) {
    for (let seed = from; seed < from + seeds; seed++) {
      currentSeed = seed;
      // One that comes to no end has failed as well.
      const [violation] = await play(seed).catch((error: unknown) => [String(error)]);
      played += 1;
      if (violation === undefined) continue;
      failed += 1;
      console.log(`seed ${seed} FAILED: ${name}: ${violation}`);
      if (values['until-failure']) return false;
    }
  }
  console.log(`${played} schedules played, ${failed} failed`);
  return played > 0 && failed === 0;
}

async function run(): Promise<boolean> {
  const started = performance.now();
  let [done, failed, answered, branches, collected, virtualMs] = [0, 0, 0, 0, 0, 0];
  for (let seed = from; seed < from + seeds; seed++) {
    currentSeed = seed;
    const result = await simulate({ seed, workload, keepsTrace: values.trace, ...crashOptions(values['crash-at']) });
    for (const line of result.traceLines) console.log(line);
    done += 1;
    answered += result.answered;
    branches += result.branches;
    collected += result.collected;
    virtualMs += result.virtualMs;
    if (result.violations.length > 0) {
      failed += 1;
      console.log(`seed ${seed} FAILED: ${String(result.violations[0])}`);
      for (const violation of result.violations.slice(1, 5)) console.log(`    ${violation}`);
      if (values['until-failure']) break;
    }
    if (values.trace) {
      const { traceLines, violations, ...figures } = result;
      console.log(figures, `${traceLines.length} lines, ${violations.length} violations`);
    }
    if (done % 50 === 0 && done < seeds) console.log(`${done} runs, ${failed} failed`);
  }
  const seconds = (performance.now() - started) / 1_000;
  console.log(
    `${done} runs of ${(virtualMs / 1_000 / done).toFixed(0)} s each in ${seconds.toFixed(1)} s, ` +
      `${answered} transactions answered, ${branches} branches made, ${collected} objects collected, ${failed} runs failed`,
  );
  return failed === 0;
}

function crashOptions(text: string | undefined): Partial<SimulationOptions> {
  if (text === undefined) return {};
  const crashAtRequest = Number.parseInt(text, 10);
  return { misfortune: false, workMs: shortMs, crashAtRequest, crashAfterSending: text.endsWith('+') };
}

async function crashEverywhere(): Promise<boolean> {
  let [runs, failed] = [0, 0];
  for (let seed = from; seed < from + seeds; seed++) {
    currentSeed = seed;
    const { storeRequests } = await simulate({ seed, misfortune: false, workMs: shortMs });
    for (let crashAtRequest = 1; crashAtRequest <= storeRequests; crashAtRequest++) {
      for (const crashAfterSending of [false, true]) {
        runs += 1;
        const { violations } = await simulate({
          seed,
          misfortune: false,
          workMs: shortMs,
          crashAtRequest,
          crashAfterSending,
        });
        if (violations.length === 0) continue;
        failed += 1;
        console.log(
          `seed ${seed} --crash-at ${crashAtRequest}${crashAfterSending ? '+' : ''} FAILED: ${violations.join('\n    ')}`,
        );
      }
    }
    console.log(`seed ${seed}: ${storeRequests} requests; ${runs} runs so far, ${failed} failed`);
  }
  return failed === 0;
}

async function tryMutations(): Promise<boolean> {
  let missed = 0;
  for (const mutation of mutations.filter(({ name }) => name.includes(values.only))) {
    const { caught, seeds: used } = await runMutation(mutation, from, seeds);
    if (caught === undefined) missed += 1;
    const verdict =
      caught === undefined ? `MISSED in ${used} runs` : `run ${String(used).padStart(3)}: ${caught.slice(0, 140)}`;
    console.log(`${mutation.name.padEnd(60)} ${verdict}`);
  }
  console.log(missed === 0 ? 'all were noticed' : `${missed} were missed`);
  return missed === 0;
}
