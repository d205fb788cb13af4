/** `npm run revocation`: how soon the databases of a revoked key are closed, and what watching the keys costs. */
import { parseArgs } from 'node:util';
import { revocationRun, type Summary } from './revocation-run.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    databases: { type: 'string', default: '1000' },
    keys: { type: 'string', default: '10' },
    'probe-ms': { type: 'string', default: '30000' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Opens databases on several keys, revokes all keys but one, and gives them back.

  --seed N        replays a run's choices (default: from the clock; printed)
  --databases N   open databases (default 1000)
  --keys N        keys that they are spread over, at least 2 (default 10)
  --probe-ms N    TURSO_BYOC_KEY_PROBE_MS of the node (default 30000, its own default)`);
  process.exit(0);
}

const boundMs = 60_000;
const options = {
  seed: Number(values.seed),
  databases: Number(values.databases),
  keys: Number(values.keys),
  probeMs: Number(values['probe-ms']),
};
console.log(`seed ${options.seed}`);
const result = await revocationRun({ ...options, onProgress: (line) => console.log(`· ${line}`) });

const row = (name: string, { p50, p99, max }: Summary): string =>
  name.padEnd(40) + [p50, p99, max].map((ms) => `${(ms / 1_000).toFixed(1)} s`.padStart(10)).join('');
console.log(`
${' '.repeat(40)}${['p50', 'p99', 'max'].map((head) => head.padStart(10)).join('')}
${row(`keys of ${result.revoked} databases overwritten`, result.givenUpMs)}
${row('their local files gone', result.filesGoneMs)}
${row('answering again after the key was back', result.backMs)}

${result.requestsPerKeyAndHour.toFixed(0)} requests an hour to the key service for each key, with ${result.open} open databases.
`);
for (const failure of result.failures.slice(0, 50)) console.log(failure);
const isMet = result.failures.length === 0 && result.filesGoneMs.p99 <= boundMs;
console.log(
  `${isMet ? 'met   ' : 'missed'} p99 ${(result.filesGoneMs.p99 / 1_000).toFixed(1)} s, bound ${boundMs / 1_000} s`,
);
process.exit(isMet ? 0 : 1);
