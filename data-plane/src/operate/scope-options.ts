/** Options that operators' commands over many databases have in common. */
import { readFile } from 'node:fs/promises';
import { databaseId } from '../identity.js';
import { UsageError } from '../node/run-command.js';
import type { AdminAccess } from './ask-node.js';
import type { DatabaseScope } from './each-database.js';

export const scopeOptions = {
  all: { type: 'boolean' },
  group: { type: 'string' },
  organization: { type: 'string' },
  database: { type: 'string' },
  node: { type: 'string', default: 'http://127.0.0.1:8082' },
  credential: { type: 'string' },
  'per-second': { type: 'string', default: '50' },
} as const;

export const scopeUsage = `--all                  every database
--group <group>        those of a group, by its name or id
--organization <name>  of one organization
--database <id>        one database
--node <url>           admin interface of any data node                                [http://127.0.0.1:8082]
--credential <file>    file with the admin credential                  [$TURSO_BYOC_ADMIN_CREDENTIAL_FILE]
--per-second <number>  databases a second at the most                                                     [50]
`;

interface ScopeValues {
  readonly all?: boolean | undefined;
  readonly group?: string | undefined;
  readonly organization?: string | undefined;
  readonly database?: string | undefined;
  readonly node: string;
  readonly credential?: string | undefined;
  readonly 'per-second': string;
}

/** Throws `UsageError`. */
export function scopeFrom({ all, group, organization, database }: ScopeValues): DatabaseScope {
  const chosen = [all, group ?? organization, database].filter((one) => one !== undefined);
  if (chosen.length !== 1) throw new UsageError('give one of --all, --group or --organization, and --database');
  if (database !== undefined) return { database: databaseId(database) };
  return { ...(organization !== undefined && { organization }), ...(group !== undefined && { group }) };
}

/** Throws `UsageError`. */
export function perSecondFrom(values: Pick<ScopeValues, 'per-second'>): number {
  const perSecond = Number(values['per-second']);
  if (perSecond > 0 && perSecond <= 10_000) return perSecond;
  throw new UsageError('--per-second must be between 0 and 10,000');
}

/** Throws `UsageError`, and the error of the file system when there is no such file. */
export async function adminAccessFrom({
  node,
  credential,
}: Pick<ScopeValues, 'node' | 'credential'>): Promise<AdminAccess> {
  const file = credential ?? process.env['TURSO_BYOC_ADMIN_CREDENTIAL_FILE'];
  if (!file) throw new UsageError('--credential is missing');
  return { url: node, credential: (await readFile(file, 'utf8')).trim() };
}
