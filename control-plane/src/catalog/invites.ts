/**
 * The `invites` table: who is to become a member once they sign in with this e-mail address, or show the invite's token.
 * Of the token only a digest is kept.
 */
import { createHash } from 'node:crypto';
import type { Row } from '@libsql/client';
import type { Role } from '../auth/permissions.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export interface InviteRecord {
  readonly id: number;
  readonly organization: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAtMs: number;
}

const columns = 'id, organization, email, role, created_at_ms';

export async function listInvites(catalog: CatalogConnection, organization: string): Promise<InviteRecord[]> {
  const { rows } = await catalog.read({
    sql: `SELECT ${columns} FROM invites WHERE organization = ? ORDER BY id`,
    args: [organization],
  });
  return rows.map(inviteFromRow);
}

/** Whether anybody waits for this address to sign in. */
export async function hasInvites(catalog: CatalogConnection, email: string): Promise<boolean> {
  if (email === '') return false;
  const { rows } = await catalog.read({ sql: 'SELECT 1 FROM invites WHERE email = ? LIMIT 1', args: [email] });
  return rows.length > 0;
}

/** Invites an address; an earlier invite of it to the same organization is replaced. */
export async function insertInvite(
  catalog: CatalogConnection,
  invite: Omit<InviteRecord, 'id'> & { readonly token: string },
): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO invites (organization, email, role, token_digest, created_at_ms) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (organization, email) DO UPDATE SET role = excluded.role,
              token_digest = excluded.token_digest, created_at_ms = excluded.created_at_ms`,
      args: [invite.organization, invite.email, invite.role, digestOf(invite.token), invite.createdAtMs],
    },
  ]);
}

/** Withdraws an invite. Whether there was one. */
export async function removeInvite(catalog: CatalogConnection, organization: string, email: string): Promise<boolean> {
  const invites = await listInvites(catalog, organization);
  if (!invites.some((invite) => invite.email === email)) return false;
  await catalog.write([
    { sql: 'DELETE FROM invites WHERE organization = ? AND email = ?', args: [organization, email] },
  ]);
  return true;
}

/** Makes the user a member wherever this address, which must be proved to be the user's, was invited. */
export async function acceptInvitesOf(
  catalog: CatalogConnection,
  email: string,
  userUuid: string,
  nowMs: number,
): Promise<void> {
  if (email === '' || !(await hasInvites(catalog, email))) return;
  await accept(catalog, 'email', email, userUuid, nowMs);
}

/** Makes the user a member where this token invites; the organization, or undefined when no invite has the token. */
export async function acceptInvite(
  catalog: CatalogConnection,
  token: string,
  userUuid: string,
  nowMs: number,
): Promise<string | undefined> {
  const digest = digestOf(token);
  const { rows } = await catalog.read({ sql: `SELECT ${columns} FROM invites WHERE token_digest = ?`, args: [digest] });
  const invite = rows.map(inviteFromRow)[0];
  if (invite === undefined) return undefined;
  await accept(catalog, 'token_digest', digest, userUuid, nowMs);
  return invite.organization;
}

async function accept(
  catalog: CatalogConnection,
  column: 'email' | 'token_digest',
  value: string,
  userUuid: string,
  nowMs: number,
): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms)
            SELECT organization, ?, role, ? FROM invites WHERE ${column} = ? ON CONFLICT DO NOTHING`,
      args: [userUuid, nowMs, value],
    },
    { sql: `DELETE FROM invites WHERE ${column} = ?`, args: [value] },
  ]);
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function inviteFromRow(row: Row): InviteRecord {
  return {
    id: integerOf(row, 'id'),
    organization: textOf(row, 'organization'),
    email: textOf(row, 'email'),
    role: textOf(row, 'role') as Role,
    createdAtMs: integerOf(row, 'created_at_ms'),
  };
}
