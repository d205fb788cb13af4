/** `npm run upload-test`: uploads a large file to a started node. Takes three times its size of disk. */
import { parseArgs } from 'node:util';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { uploadRun } from './upload-run.js';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1024' },
    kills: { type: 'string', default: '3' },
    write: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Makes a SQLite file, uploads it in chunks to a data node that is killed on the way, compares the digest of every table
and of the export, and tells how long each part took and how much memory the node had.

  --megabytes N   size of the file (default 1024)
  --kills N       how often the node is killed while chunks are sent (default 3)
  --write FILE    writes the result there, as JSON

Ends with 1 when a digest differs or the node took more than 512 MiB.`);
  process.exit(0);
}

const settings = { megabytes: Number(values.megabytes), kills: Number(values.kills) };
const run = new KeptRun('upload-test');
const result = await uploadRun({
  ...settings,
  onProgress: (line) => console.log(`· ${(run.elapsedMs / 1_000).toFixed(1).padStart(6)} s ${line}`),
});
console.log(JSON.stringify(result, null, 2));
if (values.write !== undefined) await run.write(values.write, { settings, result });
const isMet = result.differences.length === 0 && result.mostMemoryBytes <= 512 * 2 ** 20;
console.log(isMet ? 'met' : 'missed');
process.exit(isMet ? 0 : 1);
