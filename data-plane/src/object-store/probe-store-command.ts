/** `npm run probe-store -- s3://bucket/prefix?…`: prints what a store can do; exits with 1 when it cannot be used. */
import { ByocError } from '../errors/catalogue.js';
import { systemRuntime } from '../runtime.js';
import { capabilityNames, probeCapabilities } from './capability-probe.js';
import { connectStore, explaining } from './open-store.js';
import { StoreUnavailableError } from './object-store.js';
import { describeStore, parseStoreUrl, StoreUrlError } from './store-url.js';

const usage = `usage: npm run probe-store -- <store>

<store>  s3://bucket/prefix?region=...&endpoint=...&kmsKeyId=... or file:///directory, as in the settings of a data node

Writes a few small objects below <prefix>/probe/ and removes them again.
`;

async function main(argument: string | undefined): Promise<number> {
  if (argument === undefined || argument === '--help') {
    process.stdout.write(usage);
    return argument === undefined ? 2 : 0;
  }
  const { AWS_ENDPOINT_URL_S3: s3Endpoint, AWS_ENDPOINT_URL: endpoint } = process.env;
  const location = parseStoreUrl(argument, 'probe-store', s3Endpoint ?? endpoint);
  const where = describeStore(location);
  const store = await connectStore(location, {
    runtime: systemRuntime,
    report: (event, fields) => process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  });
  const found = await explaining(where, async () => probeCapabilities(systemRuntime, store));
  process.stdout.write(`${where}\n\n`);
  for (const name of capabilityNames) process.stdout.write(`${name.padEnd(20)}${found[name] ?? 'yes'}\n`);
  const usable = capabilityNames.every((name) => found[name] === undefined);
  process.stdout.write(usable ? '\nThe store can be used.\n' : '\nThe store lacks what is not "yes".\n');
  return usable ? 0 : 1;
}

main(process.argv[2]).then(
  (code) => process.exit(code),
  (error: unknown) => {
    if (error instanceof ByocError) process.stderr.write(`${error.code}: ${error.message}\n${error.remedy}\n`);
    else if (error instanceof StoreUrlError || error instanceof StoreUnavailableError) {
      process.stderr.write(`${error.message}\n`);
    } else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(1);
  },
);
