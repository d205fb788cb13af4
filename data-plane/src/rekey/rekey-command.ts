/** `npm run rekey -- …`; exits with 1 when a database could not be rekeyed, 2 when nothing could be done. */
import { parseArgs } from 'node:util';
import type { EncryptionState } from '../database/encryption-state.js';
import { ByocError } from '../errors/catalogue.js';
import { configuredStores } from '../node/node-stores.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { storeLocations } from '../node/settings.js';
import { askNode, type AdminAccess } from '../operate/ask-node.js';
import { eachDatabase } from '../operate/each-database.js';
import { adminAccessFrom, perSecondFrom, scopeFrom, scopeOptions, scopeUsage } from '../operate/scope-options.js';
import { systemRuntime as runtime } from '../runtime.js';
import { isResealing } from '../storage/data-key-use.js';
import type { Manifest } from '../storage/manifest.js';

const usage = `usage: npm run rekey -- (--all | --group <group> [--organization <name>] | --database <id>) [--drop-history]

Gives databases a new data key each, while they are used, and seals what they hold anew. The old key leaves a database when
its kept history, and its branches, need it no more; with --drop-history the history goes at once, and the old key with it.
Databases whose clients hold the key are named and passed over: rekey them through the admin interface, with that key.

--older-than <time>    only data keys from before this time (ISO 8601)                               [this moment]
--drop-history         keep no history from before, so that the old key can go at once
--patience <seconds>   how long one database may take until nothing of its present state is under the old key [600]
${scopeUsage}
The data store is found by the same environment variables as that of a data node (docs/settings.md). A run that was cut off
is completed by running it again with the --older-than that it printed: what is done is passed over.

Exit status: 0 all are rekeyed, 1 some could not be (each is named), 2 it could not be done.
`;

const options = {
  ...scopeOptions,
  'older-than': { type: 'string' },
  'drop-history': { type: 'boolean', default: false },
  patience: { type: 'string', default: '600' },
  help: { type: 'boolean' },
} as const;

/** How often a node is asked how far it has come. */
const pollMs = 500;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const olderThan = values['older-than'] ?? new Date(runtime.nowMs()).toISOString();
  const olderThanMs = Date.parse(olderThan);
  if (Number.isNaN(olderThanMs)) throw new UsageError('--older-than must be a time, for example 2026-11-26T12:00:00Z');
  const patienceMs = Number(values.patience) * 1_000;
  if (!(patienceMs > 0)) throw new UsageError('--patience must be a number of seconds');
  const [scope, perSecond, access] = [scopeFrom(values), perSecondFrom(values), await adminAccessFrom(values)];
  const open = configuredStores(storeLocations(process.env), runtime, (event, fields) =>
    process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  );
  process.stdout.write(`data keys from before ${olderThan}\n`);
  const isYoung = ({ createdAtMs, currentKeySinceMs = createdAtMs }: Manifest): boolean =>
    currentKeySinceMs >= olderThanMs;
  const { databases, changed, failed, heldByClients } = await eachDatabase({
    runtime,
    dataStore: await open('data'),
    scope,
    perSecond,
    judge: (manifest) => {
      if (manifest.deletedAtMs !== undefined || (isYoung(manifest) && !isResealing(manifest))) return 'done';
      return manifest.encryption.mode === 'client' ? 'heldByClient' : 'due';
    },
    change: async (manifest) => {
      // A young key was made by the run that was cut off: only the work that follows it is left.
      const replaces = isYoung(manifest) ? manifest.currentKey - 1 : manifest.currentKey;
      await rekey(access, manifest, replaces, values['drop-history'], patienceMs);
      return true;
    },
    progress: (counts) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${counts.databases} databases, ${counts.changed} rekeyed`);
    },
    report: (id, failure) => process.stdout.write(`${id} NOT REKEYED\n  ${failure}\n`),
    passedOver: (id) => process.stdout.write(`${id} passed over: its client holds the key\n`),
  });
  if (process.stderr.isTTY) process.stderr.write('\n');
  const held = heldByClients === 0 ? '' : `, ${heldByClients} passed over`;
  process.stdout.write(`${databases} databases, ${changed} rekeyed, ${failed} failed${held}\n`);
  return failed === 0 ? 0 : 1;
}

/** Resolves when nothing of the present state is sealed under the old key. */
async function rekey(
  access: AdminAccess,
  { id }: Manifest,
  replaces: number,
  dropHistory: boolean,
  patienceMs: number,
): Promise<void> {
  const deadlineMs = runtime.monotonicMs() + patienceMs;
  for (;;) {
    // The same call again: it tells how far it has come, and goes on where nothing else does.
    const { encryption } = await askNode<{ encryption: EncryptionState }>(access, 'POST', `/databases/${id}/rekey`, {
      replaces,
      ...(dropHistory && { dropHistory }),
    });
    if (encryption.isResealed) return;
    if (runtime.monotonicMs() >= deadlineMs) {
      throw new ByocError('REKEY_UNFINISHED', `database ${id} is still being sealed anew; that goes on`);
    }
    await runtime.sleep(pollMs);
  }
}

runCommand(main, 2);
