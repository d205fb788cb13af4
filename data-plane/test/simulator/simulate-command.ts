/** `npm run simulate`: many runs of the simulator, from the command line. */
import { parseArgs } from 'node:util';
import { simulate, type SimulationResult } from './run/simulation.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    times: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Runs data nodes under virtual time, with faulty stores and networks, and checks what clients saw.

  --seeds N   how many runs (default 100)
  --from S    seed of the first run (default 1)
  --trace     prints everything that happened in each run; use with --seeds 1
  --help      this text

A failure prints its seed. The same seed gives the same run, event by event.`);
  process.exit(0);
}

const [from, seeds] = [Number(values.from), Number(values.seeds)];
const failed: SimulationResult[] = [];
let answered = 0;
const started = performance.now();
for (let seed = from; seed < from + seeds; seed++) {
  const begun = performance.now();
  const result = await simulate({ seed, keepsTrace: values.trace });
  if (values.times) console.log(`seed ${seed}: ${(performance.now() - begun).toFixed(0)} ms, ${result.events} events`);
  for (const line of result.traceLines) console.log(line);
  answered += result.answered;
  if (result.violations.length > 0) {
    failed.push(result);
    console.log(`seed ${seed} FAILED: ${result.violations[0]} (${result.violations.length} in all)`);
  }
  if (values.trace) {
    const { traceLines, ...rest } = result;
    console.log(rest, `${traceLines.length} lines`);
  }
  if ((seed - from + 1) % 50 === 0) console.log(`${seed - from + 1} runs, ${failed.length} failed`);
}
const seconds = (performance.now() - started) / 1_000;
console.log(`${seeds} runs in ${seconds.toFixed(1)} s, ${answered} transactions answered, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);
