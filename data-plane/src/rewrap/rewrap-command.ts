/** `npm run rewrap -- --key <key> …`; exits with 1 when a database could not be rewrapped, 2 when nothing could be done. */
import { parseArgs } from 'node:util';
import { configuredStores } from '../node/node-stores.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { storeLocations } from '../node/settings.js';
import { askNode } from '../operate/ask-node.js';
import { eachDatabase } from '../operate/each-database.js';
import { adminAccessFrom, perSecondFrom, scopeFrom, scopeOptions, scopeUsage } from '../operate/scope-options.js';
import { systemRuntime as runtime } from '../runtime.js';
import { isServiceWrapped } from '../storage/manifest.js';

const usage = `usage: npm run rewrap -- --key <key> (--all | --group <group> [--organization <name>] | --database <id>)

Wraps the data keys of databases by another key of the key service, while they are used. Nothing is sealed anew and no
plaintext key leaves the key service. Deleted databases that can be brought back, and branches, are rewrapped like others.
Databases whose clients hold the key are named and passed over: the key service wraps nothing of them.

--key <key>            the key that is to wrap them: an ARN with KMS, a name with the local key service
${scopeUsage}
The data store is found by the same environment variables as that of a data node (docs/settings.md). A run that was cut off
is completed by running it again: what is done is passed over.

Exit status: 0 all are wrapped by the key, 1 some could not be rewrapped (each is named), 2 it could not be done.
`;

const options = { ...scopeOptions, key: { type: 'string' }, help: { type: 'boolean' } } as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const { key: keyId } = values;
  if (keyId === undefined) throw new UsageError('--key is missing');
  const [scope, perSecond, access] = [scopeFrom(values), perSecondFrom(values), await adminAccessFrom(values)];
  const open = configuredStores(storeLocations(process.env), runtime, (event, fields) =>
    process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  );
  const { databases, changed, failed, heldByClients } = await eachDatabase({
    runtime,
    dataStore: await open('data'),
    scope,
    perSecond,
    judge: ({ keys }) => {
      const wrapped = keys.filter(isServiceWrapped);
      if (wrapped.length === 0 && keys.length > 0) return 'heldByClient';
      // The key's own name, not an alias, or every database is asked for every time.
      return wrapped.every((key) => key.keyId === keyId) ? 'done' : 'due';
    },
    change: async ({ id }) =>
      (await askNode<{ changed: boolean }>(access, 'POST', `/databases/${id}/rewrap`, { keyId })).changed,
    progress: (counts) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${counts.databases} databases, ${counts.changed} rewrapped`);
    },
    report: (id, failure) => process.stdout.write(`${id} NOT REWRAPPED\n  ${failure}\n`),
    passedOver: (id) => process.stdout.write(`${id} passed over: its client holds the key\n`),
  });
  if (process.stderr.isTTY) process.stderr.write('\n');
  const held = heldByClients === 0 ? '' : `, ${heldByClients} passed over`;
  process.stdout.write(`${databases} databases, ${changed} rewrapped, ${failed} failed${held}\n`);
  return failed === 0 ? 0 : 1;
}

runCommand(main, 2);
