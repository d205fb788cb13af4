/** `npm run large-database`: lets real databases grow past 1 GiB. Takes some minutes and 6 GB of disk. */
import { parseArgs } from 'node:util';
import { largeDatabaseRun, lockBytePage } from './large-database-run.js';

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'both' },
    pages: { type: 'string', default: String(lockBytePage) },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  console.log(`Lets a database grow past the page that SQLite leaves out at 1 GiB, and opens it again from the store.

  --engine NAME   libsql, tursodb or both (default both)
  --pages N       how many pages it is to have more than (default ${lockBytePage}: 1 GiB and one page)`);
  process.exit(0);
}

let failed = 0;
for (const engine of ['libsql', 'tursodb'] as const) {
  if (values.engine !== 'both' && values.engine !== engine) continue;
  const started = performance.now();
  const result = await largeDatabaseRun({
    engine,
    pages: Number(values.pages),
    onProgress: (line) => console.log(line),
  });
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  console.log(
    `${engine}: ${result.rows} rows, ${result.pages} pages, integrity ${result.integrity.join(', ')}, ` +
      `${result.failures.length} failures, ${seconds} s`,
  );
  for (const failure of result.failures) console.log(`  ${failure}`);
  failed += result.failures.length;
}
process.exit(failed === 0 ? 0 : 1);
