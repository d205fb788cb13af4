/** `npm run rewrap-test`: very many databases are rewrapped by a command that is killed in the middle. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { rewrapRun } from './rewrap-run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    databases: { type: 'string', default: '10000' },
    written: { type: 'string', default: '8' },
    kills: { type: 'string', default: '3' },
    'per-second': { type: 'string', default: '200' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Creates databases, has their keys rewrapped while some are written, kills the command again and again, completes it,
and disables the old key.

  --databases N    (default 10000)
  --written N      databases that are written without pause (default 8)
  --kills N        how often the command is killed (default 3)
  --per-second N   as the command takes it (default 200)
  --seed N         replays a run's choices (default: from the clock; printed)
  --write FILE     writes the result there, as JSON

Ends with 1 when a database was left out, a write failed or the old key was still needed.`);
  process.exit(0);
}

const settings = {
  seed: Number(values.seed),
  databases: Number(values.databases),
  written: Number(values.written),
  kills: Number(values.kills),
  perSecond: Number(values['per-second']),
};
console.log(`seed ${settings.seed}`);
const run = new KeptRun('rewrap-test');
const result = await rewrapRun({
  ...settings,
  onProgress: (line) => console.log(`· ${(run.elapsedMs / 1_000).toFixed(1).padStart(6)} s ${line}`),
});
console.log(`
${result.rewrappedByRun.join(' + ')} rewrapped in ${(result.elapsedMs / 1_000).toFixed(1)} s; the last run said: ${result.lastWords}
${result.leftUnderOldKey} are left under the old key
${result.writes} writes beside it, ${result.failedWrites.length} failed
${result.opened} databases opened without the old key, ${result.failedOpens.length} could not be
`);
for (const failure of [...result.failedWrites, ...result.failedOpens].slice(0, 20)) console.log(failure);
if (values.write !== undefined) await run.write(values.write, { settings, result });
const isMet = result.leftUnderOldKey + result.failedWrites.length + result.failedOpens.length === 0;
console.log(isMet ? 'met' : 'missed');
process.exit(isMet ? 0 : 1);
