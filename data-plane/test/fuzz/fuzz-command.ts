/** `npm run fuzz -- --seconds 60 --target json-pipeline`: feeds a decoder with hostile input for a while. */
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom } from '../seeded-random.js';
import { fuzz } from './fuzz-run.js';
import { fuzzTargets } from './fuzz-targets.js';

const usage = `usage: npm run fuzz -- [--target NAME] [--seconds N] [--seed N]

--target   one of ${Object.keys(fuzzTargets).join(', ')}; all by default
--seconds  for each target; 60 by default
--seed     of the random numbers; printed, so that a failure can be repeated
`;
/** More than this is growth, less is the heap's own business. */
const tolerableGrowthBytes = 32 * 1024 * 1024;

function main(): number {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  const names = values.target === undefined ? Object.keys(fuzzTargets) : [values.target];
  const seconds = Number(values.seconds ?? '60');
  const seed = Number(values.seed ?? String(Date.now() % 2 ** 31));
  const isKnown = names.every((name) => Object.hasOwn(fuzzTargets, name));
  if (values.help === true || !isKnown || !(seconds > 0) || !Number.isInteger(seed)) {
    process.stdout.write(usage);
    return values.help === true ? 0 : 2;
  }
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  for (const name of names) {
    const target = fuzzTargets[name];
    if (!target) continue;
    const endMs = performance.now() + seconds * 1_000;
    process.stdout.write(`${name}: seed ${seed}\n`);
    const result = fuzz({
      target,
      seed,
      random: seededRandom(seed),
      goesOn: () => performance.now() < endMs,
      monotonicMs: () => performance.now(),
      collectGarbage,
    });
    process.stdout.write(`${name}: ${JSON.stringify(result)}\n`);
    if (result.heapGrowthBytes > tolerableGrowthBytes) {
      process.stdout.write(`${name}: the heap grew\n`);
      return 1;
    }
  }
  return 0;
}

process.exitCode = main();
