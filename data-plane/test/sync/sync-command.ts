/** `npm run sync-test`: a device comes back after very many changes on both sides. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { syncRun } from './sync-run.js';

const { values } = parseArgs({
  options: {
    'server-changes': { type: 'string', default: '100000' },
    'device-changes': { type: 'string', default: '100000' },
    'per-push': { type: 'string', default: '10000' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`A device of the official sync package is away while a database is changed, and writes itself; then both come together.

  --server-changes N   transactions on the server meanwhile (default 100000)
  --device-changes N   transactions on the device (default 100000)
  --per-push N         changes that one push request holds (default 10000)
  --write FILE         writes the result there, as JSON

Ends with 1 when a change is missing on one side.`);
  process.exit(0);
}

const settings = {
  serverChanges: Number(values['server-changes']),
  deviceChanges: Number(values['device-changes']),
  perPush: Number(values['per-push']),
};
const run = new KeptRun('sync-test');
const result = await syncRun({
  ...settings,
  onProgress: (line) => console.log(`· ${(run.elapsedMs / 1_000).toFixed(1).padStart(6)} s ${line}`),
});
console.log(JSON.stringify(result, null, 2));
if (values.write !== undefined) await run.write(values.write, { settings, result });
const isMet = result.wrongOnServer + result.wrongOnDevice === 0;
console.log(isMet ? 'met' : 'missed');
process.exit(isMet ? 0 : 1);
