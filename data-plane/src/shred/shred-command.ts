/** `npm run shred -- …`: destroys what wraps the data keys of a deleted database, or shows the certificate of that. */
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import { databaseId } from '../identity.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { connectStore } from '../object-store/open-store.js';
import { parseStoreUrl } from '../object-store/store-url.js';
import { askNode } from '../operate/ask-node.js';
import { adminAccessFrom, scopeOptions } from '../operate/scope-options.js';
import { systemRuntime as runtime } from '../runtime.js';
import type { ShredCertificate } from '../storage/shred-certificate.js';
import { copiesInBackups } from './copies-in-backups.js';

const usage = `usage: npm run shred -- destroy     --database <id> [--by <name>] [--backups <url> …]
       npm run shred -- certificate --database <id> [--backups <url> …]

destroy: destroys every stored version of what wraps the data keys of a deleted database, then its content, whether or not it
could still be brought back; prints the certificate. certificate: prints that of an earlier shred.

--by <name>            who asks, for the certificate                                     [the user of this process]
--backups <url>        a backup store: backups there that hold the wrapped keys are named; the keys in them live on until
                       the backups are pruned (npm run backup)
--node <url>           admin interface of any data node                                   [http://127.0.0.1:8082]
--credential <file>    file with the admin credential                     [$TURSO_BYOC_ADMIN_CREDENTIAL_FILE]

Exit status: 0 destroyed everywhere, 1 destroyed in the deployment and alive in a backup, 2 it could not be done.
`;

const options = {
  database: scopeOptions.database,
  node: scopeOptions.node,
  credential: scopeOptions.credential,
  by: { type: 'string' },
  backups: { type: 'string', multiple: true, default: [] as string[] },
  help: { type: 'boolean' },
} as const;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [action, ...rest] = positionals;
  if (rest.length > 0 || (action !== 'destroy' && action !== 'certificate')) {
    throw new UsageError('say destroy or certificate');
  }
  if (values.database === undefined) throw new UsageError('--database is missing');
  const id = databaseId(values.database);
  const access = await adminAccessFrom(values);
  const copies: string[] = [];
  for (const url of values.backups) {
    const store = await connectStore(parseStoreUrl(url, ''), {
      runtime,
      report: (event, fields) => process.stderr.write(`${event}: ${JSON.stringify(fields)}\n`),
    });
    for (const backup of await copiesInBackups(runtime, store, id)) copies.push(`${url} ${backup}`);
  }
  const { certificate } =
    action === 'destroy'
      ? await askNode<{ certificate: ShredCertificate }>(access, 'POST', `/databases/${id}/shred`, {
          requestedBy: values.by ?? userInfo().username,
          copies,
        })
      : await askNode<{ certificate: ShredCertificate }>(access, 'GET', `/databases/${id}/certificate`);
  process.stdout.write(`${JSON.stringify(certificate, undefined, 2)}\n`);
  for (const copy of copies) process.stdout.write(`ALIVE in backup ${copy}\n`);
  return copies.length === 0 ? 0 : 1;
}

runCommand(main, 2);
