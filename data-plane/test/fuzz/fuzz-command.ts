/** `npm run fuzz -- --seconds 60 --target json-pipeline`: feeds a decoder with hostile input for a while. */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { seededRandom } from '../seeded-random.js';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { fuzz, type FuzzResult } from './fuzz-run.js';
import { fuzzTargets } from './fuzz-targets.js';

const usage = `usage: npm run fuzz -- [--target NAME] [--seconds N] [--seed N] [--write FILE]

--target   one of ${Object.keys(fuzzTargets).join(', ')}; all by default
--seconds  for each target; 60 by default
--seed     of the random numbers; printed, so that a failure can be repeated
--write    keeps the results there, as JSON, once every target has passed; those of other targets stay
`;
/** Targets may be run one by one, so that each says for itself when and for how long. */
interface KeptTarget extends FuzzResult {
  readonly endedAt: string;
  readonly seconds: number;
  readonly seed: number;
}

function keptTargets(path: string): Record<string, KeptTarget> {
  if (!existsSync(path)) return {};
  return (JSON.parse(readFileSync(path, 'utf8')) as { targets: Record<string, KeptTarget> }).targets;
}

/** More than this is growth, less is the heap's own business. */
const tolerableGrowthBytes = 32 * 1024 * 1024;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      seconds: { type: 'string' },
      seed: { type: 'string' },
      write: { type: 'string' },
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
  const kept = new KeptRun('fuzz');
  const targets: Record<string, KeptTarget> = {};
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
    targets[name] = { endedAt: new Date().toISOString(), seconds, seed, ...result };
  }
  if (values.write !== undefined) {
    await kept.write(values.write, { targets: { ...keptTargets(values.write), ...targets } });
  }
  return 0;
}

process.exitCode = await main();
