/** `npm run scrub -- --data <store> --log <store> [--database <id>]…`; exits with 1 when something is damaged, 2 when nothing could be said. */
import { parseArgs } from 'node:util';
import { ByocError } from '../errors/catalogue.js';
import { databaseId, type DatabaseId } from '../identity.js';
import { runCommand } from '../node/run-command.js';
import { connectStore, explaining } from '../object-store/open-store.js';
import type { ObjectStore } from '../object-store/object-store.js';
import { describeStore, parseStoreUrl } from '../object-store/store-url.js';
import { systemRuntime } from '../runtime.js';
import { ManifestStore } from '../storage/manifest-store.js';
import { SingleLogStore } from '../storage/log-store/single-log-store.js';
import { scrubDatabase, type ScrubResult } from './scrub-database.js';

const usage = `usage: npm run scrub -- --data <store> --log <store> [--database <id>]...

Proves that the objects of all databases, or of those named, are whole: generations, segments, archives, what branches share,
and the logs that manifests name. Reads everything once; needs no key, changes nothing, and may run beside the nodes.

<store>        file:///directory or s3://bucket/prefix?region=...&endpoint=..., as in the settings of a data node
--database     a database's id; may be given several times

Prints a line for each database and for each object that is missing or damaged. Exit status: 0 everything is whole,
1 something is not, 2 it could not be found out.
`;

async function open(url: string | undefined, name: 'data' | 'log'): Promise<ObjectStore> {
  if (url === undefined) throw new Error(`--${name} is missing\n\n${usage}`);
  const { AWS_ENDPOINT_URL_S3: s3Endpoint, AWS_ENDPOINT_URL: endpoint } = process.env;
  const location = parseStoreUrl(url, name, s3Endpoint ?? endpoint);
  const store = await connectStore(location, {
    runtime: systemRuntime,
    report: (event, fields) => process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  });
  await explaining(describeStore(location), async () => store.get('absent'));
  return store;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      log: { type: 'string' },
      database: { type: 'string', multiple: true },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const runtime = systemRuntime;
  const [dataStore, logObjects] = [await open(values.data, 'data'), await open(values.log, 'log')];
  const logStore = new SingleLogStore(runtime, logObjects);
  const manifests = new ManifestStore(runtime, dataStore);
  /** What looks damaged may have been folded or collected under the look: then the manifest is another one by now. */
  const settledScrub = async (id: DatabaseId): Promise<ScrubResult> => {
    for (;;) {
      const found = await manifests.read(id);
      if (!found) throw new ByocError('STORE_OBJECT_MISSING', `there is no manifest of database ${id}`);
      const result = await scrubDatabase({ runtime, dataStore, logStore, manifest: found.manifest });
      if (result.faults.length === 0) return result;
      const again = await manifests.read(id);
      if (again?.manifest.version === found.manifest.version) return result;
    }
  };
  let databases = 0;
  let damaged = 0;
  const scrub = async (id: DatabaseId): Promise<void> => {
    databases += 1;
    let faults: readonly string[];
    let looked = '';
    try {
      const result = await settledScrub(id);
      faults = result.faults;
      const keys = result.dataKeys.length > 0 ? `, under data keys ${result.dataKeys.join(', ')}` : '';
      looked = `, ${result.objects} objects, ${result.bytes} bytes${keys}`;
    } catch (error) {
      if (!(error instanceof ByocError) || error.code === 'STORE_UNAVAILABLE') throw error;
      faults = [error.message];
    }
    process.stdout.write(`${id} ${faults.length === 0 ? 'whole' : 'DAMAGED'}${looked}\n`);
    for (const fault of faults) process.stdout.write(`  ${fault}\n`);
    if (faults.length > 0) damaged += 1;
  };
  if (values.database) for (const id of values.database) await scrub(databaseId(id));
  else for await (const id of manifests.list()) await scrub(id);
  process.stdout.write(`${databases} databases, ${damaged} damaged\n`);
  return damaged === 0 ? 0 : 1;
}

runCommand(main, 2);
