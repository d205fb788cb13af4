/** `npm run verify-audit`: exits with 1 when the exported audit log is not as it was written, 2 when it cannot be read. */
import { parseArgs } from 'node:util';
import { runCommand, UsageError } from '@turso-byoc/data-plane/node/run-command.js';
import { connectStore } from '@turso-byoc/data-plane/object-store/open-store.js';
import { parseStoreUrl } from '@turso-byoc/data-plane/object-store/store-url.js';
import { systemRuntime } from '@turso-byoc/data-plane/runtime.js';
import { verifyAudit } from './verify-audit.js';

const usage = `usage: npm run verify-audit -- --store <store> [--head <sequence>:<hash>]

Reads the exported audit log and proves it whole: every entry has the hash that covers all entries before it, no entry is
missing, and every object ends with the control plane's signature. Needs nothing but
the store that it is exported to, or a copy of it: the control store, or TURSO_BYOC_AUDIT_STORE where that is set.

--store <url>   file:///directory or s3://bucket/prefix?region=...; of "npm start": file:///.../.turso-byoc/store/control
--head <head>   a head that was printed before: proves that nothing after it was cut off and rewritten

Exit status: 0 whole, 1 not as it was written, 2 it could not be read.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { store: { type: 'string' }, head: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help === true) {
    process.stdout.write(usage);
    return 0;
  }
  if (values.store === undefined) throw new UsageError(`--store is missing\n\n${usage}`);
  const store = await connectStore(parseStoreUrl(values.store, 'control'), {
    runtime: systemRuntime,
    report: (event, fields) => process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  });
  const known = values.head === undefined ? undefined : parseHead(values.head);
  const { objects, head, faults } = await verifyAudit(store);
  for (const fault of faults) process.stdout.write(`DAMAGED ${fault}\n`);
  const isCutOff = known !== undefined && head.sequence < known.sequence;
  const isRewritten = known?.sequence === head.sequence && known.hash !== head.hash;
  if (isCutOff) process.stdout.write(`DAMAGED the chain ends before entry ${known.sequence}\n`);
  if (isRewritten) process.stdout.write(`DAMAGED entry ${known.sequence} has another hash than the one given\n`);
  process.stdout.write(`${objects} objects, ${head.sequence} entries, head ${head.sequence}:${head.hash}\n`);
  return faults.length === 0 && !isCutOff && !isRewritten ? 0 : 1;
}

function parseHead(text: string): { readonly sequence: number; readonly hash: string } {
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined) throw new UsageError('--head is not <sequence>:<hash>');
  return { sequence: Number(sequence), hash };
}

runCommand(main, 2);
