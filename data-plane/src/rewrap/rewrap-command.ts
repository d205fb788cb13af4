/** `npm run rewrap -- --key <key> …`; exits with 1 when a database could not be rewrapped, 2 when nothing could be done. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { databaseId } from '../identity.js';
import { configuredStores } from '../node/node-stores.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { storeLocations } from '../node/settings.js';
import { systemRuntime as runtime } from '../runtime.js';
import { rewrapDatabases, rewrapThrough, type RewrapScope } from './rewrap-databases.js';

const usage = `usage: npm run rewrap -- --key <key> (--all | --group <group> [--organization <name>] | --database <id>)

Wraps the data keys of databases by another key of the key service, while they are used. Nothing is sealed anew and no
plaintext key leaves the key service. Deleted databases that can be brought back, and branches, are rewrapped like others.
Databases whose clients hold the key are named and passed over: the key service wraps nothing of them.

--key <key>            the key that is to wrap them: an ARN with KMS, a name with the local key service
--all                  every database
--group <group>        those of a group, by its name or id
--organization <name>  of one organization
--database <id>        one database
--node <url>           admin interface of any data node                                [http://127.0.0.1:8082]
--credential <file>    file with the admin credential                  [$TURSO_BYOC_ADMIN_CREDENTIAL_FILE]
--per-second <number>  databases a second at the most                                                     [50]

The data store is found by the same environment variables as that of a data node (docs/settings.md). A run that was cut off
is completed by running it again: what is done is passed over.

Exit status: 0 all are wrapped by the key, 1 some could not be rewrapped (each is named), 2 it could not be done.
`;

const options = {
  key: { type: 'string' },
  all: { type: 'boolean' },
  group: { type: 'string' },
  organization: { type: 'string' },
  database: { type: 'string' },
  node: { type: 'string', default: 'http://127.0.0.1:8082' },
  credential: { type: 'string' },
  'per-second': { type: 'string', default: '50' },
  help: { type: 'boolean' },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const { key, node, all, group, organization, database } = values;
  if (key === undefined) throw new UsageError('--key is missing');
  const chosen = [all, group ?? organization, database].filter((one) => one !== undefined);
  if (chosen.length !== 1) throw new UsageError('give one of --all, --group or --organization, and --database');
  const perSecond = Number(values['per-second']);
  if (!(perSecond > 0 && perSecond <= 10_000)) throw new UsageError('--per-second must be between 0 and 10,000');
  const file = values.credential ?? process.env['TURSO_BYOC_ADMIN_CREDENTIAL_FILE'];
  if (!file) throw new UsageError('--credential is missing');
  const credential = (await readFile(file, 'utf8')).trim();
  const open = configuredStores(storeLocations(process.env), runtime, (event, fields) =>
    process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
  );
  const scope: RewrapScope =
    database !== undefined
      ? { database: databaseId(database) }
      : { ...(organization !== undefined && { organization }), ...(group !== undefined && { group }) };
  const counts = await rewrapDatabases({
    runtime,
    dataStore: await open('data'),
    scope,
    keyId: key,
    perSecond,
    rewrap: rewrapThrough(node, credential, key),
    progress: ({ databases, rewrapped }) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${databases} databases, ${rewrapped} rewrapped`);
    },
    report: (id, failure) => process.stdout.write(`${id} NOT REWRAPPED\n  ${failure}\n`),
    passedOver: (id) => process.stdout.write(`${id} passed over: its client holds the key\n`),
  });
  const { databases, rewrapped, failed, heldByClients } = counts;
  if (process.stderr.isTTY) process.stderr.write('\n');
  const held = heldByClients === 0 ? '' : `, ${heldByClients} passed over`;
  process.stdout.write(`${databases} databases, ${rewrapped} rewrapped, ${failed} failed${held}\n`);
  return failed === 0 ? 0 : 1;
}

runCommand(main, 2);
