/** `npm run scale`: fleets of up to a hundred nodes under virtual time, and what follows for larger ones; docs/scale.md. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { KeptRun } from '@turso-byoc/data-plane/bench/report/kept-run.js';
import { extrapolate } from './extrapolation.js';
import { fleetFigures } from './fleet-figures.js';
import { fleetRun } from './fleet-run.js';
import { fleets } from './fleets.js';
import { measuredFigures } from './measured-figures.js';
import { placementRun } from './placement-run.js';
import { scalePage, scalePlots } from './scale-page.js';
import { defects, type ScaleResult } from './scale-result.js';

const resultFile = 'docs/runs/scale.json';
const repository = fileURLToPath(new URL('../../../../', import.meta.url));

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    fleet: { type: 'string', multiple: true, default: fleets.map(({ name }) => name) },
    'most-databases': { type: 'string', default: '1500' },
    'most-placed': { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '20' },
    write: { type: 'boolean', default: false },
    page: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Runs fleets of the product's own nodes under virtual time, loses a zone of each, and works out what follows.

  --fleet NAME          one of ${fleets.map(({ name, nodes, databases }) => `${name} (${nodes} nodes, ${databases} databases)`).join(', ')}; more than once; default all
  --seconds N           virtual seconds before the zone is lost (default 20)
  --most-databases N    of the databases that are open, so many are simulated one by one (default 1500)
  --most-placed N       so many databases are placed (default 100000: as many as the largest fleet has open)
  --seed N              of the simulation (default 1)
  --write               keeps the result in ${resultFile}, and makes docs/scale.md and its plots of it; all fleets only
  --page                only makes the page and the plots again, from the kept result
  --help                this text

All fleets take about ten minutes of one core and 3 GB. Ends with 1 when something acknowledged was lost.`);
  process.exit(0);
}

function whole(option: 'seed' | 'most-databases' | 'most-placed' | 'seconds'): number {
  const value = Number(values[option]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  return fail(`--${option} takes a whole number`);
}

function fail(message: string): never {
  console.error(`${message}; see --help`);
  process.exit(2);
}

async function writePage(): Promise<void> {
  const kept = JSON.parse(await readFile(`${repository}${resultFile}`, 'utf8')) as ScaleResult & { command: string };
  await mkdir(`${repository}docs/plots`, { recursive: true });
  for (const { name, svg } of scalePlots(kept)) await writeFile(`${repository}docs/plots/${name}`, svg);
  const page = await format(scalePage(kept, resultFile, kept.command), { parser: 'markdown', printWidth: 120 });
  await writeFile(`${repository}docs/scale.md`, page);
  console.log('docs/scale.md and its plots are made');
}

if (values.page) {
  await writePage();
  process.exit(0);
}

const seed = whole('seed');
const chosen = fleets.filter(({ name }) => values.fleet.includes(name));
if (chosen.length < values.fleet.length) fail('--fleet names no fleet');
if (values.write && chosen.length < fleets.length) fail('--write keeps all fleets');
const kept = new KeptRun('scale');
const measured = measuredFigures(repository);
const figures = [];
for (const fleet of chosen) {
  const onProgress = (line: string): void =>
    console.log(`· ${(kept.elapsedMs / 1_000).toFixed(0).padStart(4)} s ${fleet.name}: ${line}`);
  const placement = placementRun(fleet, whole('most-placed'));
  onProgress(
    `${placement.placed} databases placed, the fullest node has ${placement.fullestOfMean.toFixed(3)} of the mean`,
  );
  const run = await fleetRun(fleet, {
    seed,
    steadySeconds: whole('seconds'),
    mostDatabases: whole('most-databases'),
    onProgress,
  });
  figures.push(fleetFigures(fleet, run, placement, measured));
}
const largest = figures.at(-1);
const result: ScaleResult = { seed, measured, fleets: figures, growth: largest ? extrapolate(largest) : [] };
for (const { what, unit, now, limit, mostNodes } of result.growth) {
  console.log(`${what}: ${Math.round(now)} of ${limit} ${unit}; ends at ${mostNodes} nodes`);
}
if (values.write) {
  await kept.write(`${repository}${resultFile}`, { ...result });
  await writePage();
}
const wrong = defects(result);
for (const line of wrong) console.log(`WRONG ${line}`);
process.exit(wrong.length === 0 ? 0 : 1);
