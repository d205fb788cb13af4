/** `npm run soak`: everything at once for a long time, and nothing may grow or be wrong at the end. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { soakRun } from './soak-run.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    slots: { type: 'string', default: '6' },
    'kill-every': { type: 'string', default: '30' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Two data nodes over one store: databases of both engines are created, written, read, branched, synced to a device,
collected and deleted, while one node is killed and started again. Of the other one memory, descriptors, disk and
latency are watched.

  --minutes N       for how long (default 10)
  --slots N         databases in use at one time (default 6)
  --kill-every S    seconds from one kill to the next (default 30)
  --write FILE      keeps the result there, as JSON
  --help            this text

Ends with 1 when something was read that had not been written, or something grows.`);
  process.exit(0);
}

function positive(option: 'minutes' | 'slots' | 'kill-every'): number {
  const value = Number(values[option]);
  if (value > 0 && Number.isFinite(value)) return value;
  console.error(`--${option} takes a number above zero; see --help`);
  process.exit(2);
}

const minutes = positive('minutes');
const settings = { minutes, slots: Math.ceil(positive('slots')), killEverySeconds: positive('kill-every') };
const kept = new KeptRun('soak');
const result = await soakRun({
  durationMs: minutes * 60_000,
  slots: settings.slots,
  // Some two hundred samples, however long it takes.
  sampleEveryMs: Math.max(500, (minutes * 60_000) / 200),
  killEveryMs: settings.killEverySeconds * 1_000,
  onProgress: (line) => console.log(`· ${(kept.elapsedMs / 1_000).toFixed(0).padStart(5)} s ${line}`),
});
console.log(JSON.stringify(result, null, 2));
if (values.write !== undefined) await kept.write(values.write, { settings, ...result });
process.exit(result.wrong.length === 0 && result.growing.length === 0 ? 0 : 1);
