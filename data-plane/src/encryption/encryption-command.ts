/** `npm run encryption -- …`: what a database is encrypted with, and who holds the key. Keys are read from files, never arguments. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { EncryptionState } from '../database/encryption-state.js';
import { databaseId } from '../identity.js';
import { cipherNames, isCipherName } from '../keys/ciphers.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { askNode } from '../operate/ask-node.js';
import { adminAccessFrom, scopeOptions } from '../operate/scope-options.js';

const usage = `usage: npm run encryption -- show       --database <id>
       npm run encryption -- to-client  --database <id> --new-key-file <file> --cipher <cipher> [--key-file <file>]
       npm run encryption -- to-service --database <id> [--kms-key <key>] --key-file <file>

show: which data keys the database has, and why each is there. to-client: a key that the client holds wraps them from now on,
and every request must bring it. to-service: a key of the key service wraps them, and no request brings one. The database is
used meanwhile. Data keys stay: whoever could unwrap them before still can, with an old manifest or a backup, until the
database is rekeyed (npm run rekey).

--new-key-file <file>  the client's key, base64
--cipher <cipher>      what it is declared for: ${cipherNames.join(', ')}
--key-file <file>      the key that the client holds now, base64, where it holds one
--kms-key <key>        a key of the key service                                       [the deployment's]
--node <url>           admin interface of any data node                               [http://127.0.0.1:8082]
--credential <file>    file with the admin credential                 [$TURSO_BYOC_ADMIN_CREDENTIAL_FILE]

Exit status: 0 done, 2 it could not be done.
`;

const options = {
  database: scopeOptions.database,
  node: scopeOptions.node,
  credential: scopeOptions.credential,
  'new-key-file': { type: 'string' },
  cipher: { type: 'string' },
  'key-file': { type: 'string' },
  'kms-key': { type: 'string' },
  help: { type: 'boolean' },
} as const;

interface Values {
  readonly 'new-key-file'?: string | undefined;
  readonly cipher?: string | undefined;
  readonly 'kms-key'?: string | undefined;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const [action, ...rest] = positionals;
  if (rest.length > 0 || (action !== 'show' && action !== 'to-client' && action !== 'to-service')) {
    throw new UsageError('say show, to-client or to-service');
  }
  if (values.database === undefined) throw new UsageError('--database is missing');
  const path = `/databases/${databaseId(values.database)}/encryption`;
  const access = await adminAccessFrom(values);
  const presentFile = values['key-file'];
  const present = presentFile === undefined ? {} : { encryption: { key: await keyIn(presentFile) } };
  const { encryption } =
    action === 'show'
      ? await askNode<{ encryption: EncryptionState }>(access, 'GET', path)
      : await askNode<{ encryption: EncryptionState }>(access, 'POST', path, {
          ...present,
          to: action === 'to-client' ? await clientHolder(values) : serviceHolder(values),
        });
  process.stdout.write(`${JSON.stringify(encryption, undefined, 2)}\n`);
  return 0;
}

async function clientHolder({ 'new-key-file': file, cipher }: Values): Promise<object> {
  if (file === undefined) throw new UsageError('--new-key-file is missing');
  if (!isCipherName(cipher)) throw new UsageError(`--cipher must be one of ${cipherNames.join(', ')}`);
  return { mode: 'client', key: await keyIn(file), cipher };
}

function serviceHolder({ 'kms-key': keyId }: Values): object {
  return { mode: 'kms', ...(keyId !== undefined && { keyId }) };
}

async function keyIn(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim();
}

runCommand(main, 2);
