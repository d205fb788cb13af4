/** `npm run fairness`: what one noisy database does to its neighbours, measured. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { fairnessRun, type Latency, type LoopDelay } from './fairness-run.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    scanners: { type: 'string', default: '4' },
    writers: { type: 'string', default: '2' },
    rows: { type: 'string', default: '3000000' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Measures point selects of databases beside one that scans and writes without pause.

  --seconds N    how long each of the two phases takes (default 20)
  --scanners N   connections that scan (default 4)
  --writers N    connections that write (default 2)
  --rows N       rows that one scan passes over (default 3000000)
  --json FILE    writes the result there too`);
  process.exit(0);
}

const options = {
  phaseMs: Number(values.seconds) * 1_000,
  scanners: Number(values.scanners),
  writers: Number(values.writers),
  scannedRows: Number(values.rows),
  pauseMs: 20,
};
const result = await fairnessRun({ ...options, onProgress: (line) => console.log(`· ${line}`) });

const row = (name: string, { count, p50Ms, p99Ms, maxMs }: LoopDelay & Partial<Latency>): string =>
  name.padEnd(44) +
  [String(count ?? ''), ...[p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1))].map((cell) => cell.padStart(10)).join('');
console.log(`
${' '.repeat(44)}${['count', 'p50 (ms)', 'p99 (ms)', 'max (ms)'].map((head) => head.padStart(10)).join('')}
${row('scan of the noisy database, alone', result.scanAloneMs)}
${row('write of the noisy database, alone', result.writeAloneMs)}
${row('same engine process, quiet', result.near.quiet)}
${row('same engine process, beside the noise', result.near.noisy)}
${row('other engine process, quiet', result.far.quiet)}
${row('other engine process, beside the noise', result.far.noisy)}
${row('event loop of the I/O process, quiet', result.loop.quiet)}
${row('event loop of the I/O process, noisy', result.loop.noisy)}

${result.noisyStatements} noisy statements were answered meanwhile. ${cpus().length} cores for node, engines and this client.
`);
for (const { what, measuredMs, boundMs, met } of result.verdicts) {
  console.log(`${met ? 'met   ' : 'missed'} ${measuredMs.toFixed(1)} ms, bound ${boundMs.toFixed(1)} ms: ${what}`);
}
if (values.json !== undefined) {
  await writeFile(values.json, `${JSON.stringify({ options, cores: cpus().length, ...result }, null, 2)}\n`);
}
process.exit(result.verdicts.every(({ met }) => met) ? 0 : 1);
