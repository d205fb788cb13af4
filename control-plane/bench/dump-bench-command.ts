/** `npm run dump-bench`: begins a database as a large dump, in a system started for the purpose on this machine. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { largeDump } from './large-dump.js';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '512' },
    engine: { type: 'string', default: 'libsql' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Sends a dump through the Platform API, has a database begin as it, reads every row again, and tells how long each
part took and how much memory each process had. Takes eight times the size of the content of disk.

  --megabytes N      size of the content; the dump, which writes it in hexadecimal, is twice as long (default 512)
  --engine ENGINE    libsql (default) or tursodb
  --write FILE       writes the result there, as JSON

Ends with 1 when a row differs.`);
  process.exit(0);
}

const { engine } = values;
const megabytes = Number(values.megabytes);
if ((engine !== 'libsql' && engine !== 'tursodb') || !(megabytes > 0)) {
  console.error('--megabytes takes a number above zero, --engine libsql or tursodb; see --help');
  process.exit(2);
}
const kept = new KeptRun('dump-bench');
const onProgress = (line: string): void =>
  console.log(`· ${(kept.elapsedMs / 1_000).toFixed(1).padStart(6)} s ${line}`);
const result = await largeDump({ megabytes, engine, onProgress });
console.log(JSON.stringify(result, null, 2));
if (values.write !== undefined) await kept.write(values.write, { settings: { megabytes, engine }, result });
process.exit(result.differences.length === 0 ? 0 : 1);
