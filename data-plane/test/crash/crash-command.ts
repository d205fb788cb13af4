/** `npm run crash-test`: the crash test on its full budget, from the command line. */
import { parseArgs } from 'node:util';
import { crashRun } from './crash-run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    databases: { type: 'string', default: '100' },
    kills: { type: 'string', default: '20' },
    'tursodb-every': { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Kills a data node at random moments under writes and counts what is missing.

  --seed N            replays a run's choices (default: from the clock; printed)
  --databases N       databases, each with one writer (default 100)
  --kills N           how often the node is killed (default 20)
  --tursodb-every N   every how many databases one uses the Turso engine, 0 = none (default 5)`);
  process.exit(0);
}

const options = {
  seed: Number(values.seed),
  databases: Number(values.databases),
  kills: Number(values.kills),
  tursodbEvery: Number(values['tursodb-every']),
};
console.log(`seed ${options.seed}`);
const result = await crashRun({ ...options, onProgress: (line) => console.log(line) });
console.log(
  `${result.acknowledged} acknowledged transactions, ${result.unacknowledged} without an answer ` +
    `(${result.presentUnacknowledged} of them present, whole), ${result.failures.length} failures`,
);
for (const failure of result.failures.slice(0, 50)) console.log(failure);
process.exit(result.failures.length === 0 ? 0 : 1);
