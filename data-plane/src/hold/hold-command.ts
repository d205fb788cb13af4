/** `npm run hold -- …`: places and releases legal holds of databases, and lists them. */
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';
import type { InventoryEntry } from '../database/database-service.js';
import type { HoldState } from '../database/hold-database.js';
import { databaseId } from '../identity.js';
import { runCommand, UsageError } from '../node/run-command.js';
import { askNode, type AdminAccess } from '../operate/ask-node.js';
import { adminAccessFrom, scopeOptions } from '../operate/scope-options.js';
import type { LegalHold } from '../storage/legal-hold.js';

const usage = `usage: npm run hold -- --database <id> --reference <text> --reason <text> [--since <time>] [--by <name>]
       npm run hold -- --release --database <id> --reference <text> [--by <name>]
       npm run hold -- --list [--database <id>]

Puts a database under a legal hold: nothing that could be restored from a moment on is destroyed, neither by age nor by
deletion, shred or --drop-history, until the hold is released. A database that is deleted and can still be brought back can be
held, too. Several matters may hold one database; each has its reference, and is released alone. --list --database shows
those that were released as well.

--reference <text>     what the matter is called, at most 128 characters; one hold for each
--reason <text>        why, at most 512 characters; the same command with another one changes it
--since <time>         keep everything from this moment on (ISO 8601)                                 [this moment]
--by <name>            who asks                                                          [the user of this process]
--release              release the hold of this matter
--list                 list what is held, in the whole deployment or of one database
--node <url>           admin interface of any data node                                   [http://127.0.0.1:8082]
--credential <file>    file with the admin credential                     [$TURSO_BYOC_ADMIN_CREDENTIAL_FILE]

Exit status: 0 done, 1 there is no such hold to release, 2 it could not be done.
`;

const options = {
  database: scopeOptions.database,
  node: scopeOptions.node,
  credential: scopeOptions.credential,
  reference: { type: 'string' },
  reason: { type: 'string' },
  since: { type: 'string' },
  by: { type: 'string' },
  release: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean' },
} as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  const { database, reference, reason } = values;
  if (values.list && values.release) throw new UsageError('say --list or --release, not both');
  const access = await adminAccessFrom(values);
  if (values.list) return list(access, database);
  if (database === undefined) throw new UsageError('--database is missing');
  if (reference === undefined) throw new UsageError('--reference is missing');
  const path = `/databases/${databaseId(database)}/hold`;
  const requestedBy = values.by ?? userInfo().username;
  if (values.release) {
    const before = await askNode<{ hold: HoldState }>(access, 'GET', path);
    const query = new URLSearchParams({ reference, requestedBy });
    const { hold } = await askNode<{ hold: HoldState }>(access, 'DELETE', `${path}?${query.toString()}`);
    print(hold);
    if (before.hold.holds.some((one) => one.reference === reference)) return 0;
    process.stderr.write(`no hold of database ${database} has the reference ${reference}\n`);
    return 1;
  }
  if (reason === undefined) throw new UsageError('--reason is missing');
  const sinceMs = values.since === undefined ? undefined : Date.parse(values.since);
  if (Number.isNaN(sinceMs)) throw new UsageError('--since must be a time, for example 2026-11-26T12:00:00Z');
  const { hold } = await askNode<{ hold: HoldState }>(access, 'PUT', path, {
    reference,
    reason,
    requestedBy,
    ...(sinceMs !== undefined && { sinceMs }),
  });
  print(hold);
  return 0;
}

async function list(access: AdminAccess, database: string | undefined): Promise<number> {
  if (database !== undefined) {
    const { hold } = await askNode<{ hold: HoldState }>(access, 'GET', `/databases/${databaseId(database)}/hold`);
    print(hold);
    return 0;
  }
  let held = 0;
  for (let after: string | null = ''; after !== null;) {
    const query: string = after === '' ? '' : `?after=${after}`;
    const page: { databases: InventoryEntry[]; next: string | null } = await askNode(
      access,
      'GET',
      `/databases${query}`,
    );
    for (const { id, name, organization, deletedAtMs, holds = [] } of page.databases) {
      if (holds.length === 0) continue;
      held += 1;
      process.stdout.write(`${id} ${organization}/${name}${deletedAtMs === undefined ? '' : ', deleted'}\n`);
      for (const hold of holds) process.stdout.write(`  ${said(hold)}\n`);
    }
    after = page.next;
  }
  process.stdout.write(`${held} databases held\n`);
  return 0;
}

function print({ id, name, deletedAtMs, holds, released }: HoldState): void {
  process.stdout.write(`${id} ${name}${deletedAtMs === undefined ? '' : ', deleted'}: ${holds.length} holds\n`);
  for (const hold of holds) process.stdout.write(`  ${said(hold)}\n`);
  for (const hold of released) {
    const when = new Date(hold.releasedAtMs).toISOString();
    process.stdout.write(`  ${said(hold)}; released by ${hold.releasedBy} at ${when}\n`);
  }
}

function said({ reference, reason, sinceMs, placedBy, placedAtMs, interrupted = [] }: LegalHold): string {
  const [since, placed] = [sinceMs, placedAtMs].map((ms) => new Date(ms).toISOString());
  const ended = interrupted.length === 0 ? '' : `; ended what was asked for before: ${interrupted.join(', ')}`;
  return `${reference}: since ${since}, placed by ${placedBy} at ${placed}: ${reason}${ended}`;
}

runCommand(main, 2);
