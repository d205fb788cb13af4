/** The `members` table: who has which role in which organization. The last owner of an organization stays. */
import type { Row } from '@libsql/client';
import type { Role } from '../auth/permissions.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export interface MemberRecord {
  readonly userUuid: string;
  readonly username: string;
  readonly email: string;
  readonly role: Role;
  readonly addedAtMs: number;
}

const select = `SELECT m.user_uuid, u.username, u.email, m.role, m.added_at_ms
  FROM members m JOIN users u ON u.uuid = m.user_uuid`;

export async function listMembers(catalog: CatalogConnection, organization: string): Promise<MemberRecord[]> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE m.organization = ? ORDER BY u.username`,
    args: [organization],
  });
  return rows.map(memberFromRow);
}

export async function findMember(
  catalog: CatalogConnection,
  organization: string,
  username: string,
): Promise<MemberRecord | undefined> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE m.organization = ? AND u.username = ?`,
    args: [organization, username],
  });
  return rows.map(memberFromRow)[0];
}

/** Makes a user a member, unless the user is one. */
export async function insertMember(
  catalog: CatalogConnection,
  organization: string,
  member: { readonly userUuid: string; readonly role: Role; readonly addedAtMs: number },
): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms) VALUES (?, ?, ?, ?)
            ON CONFLICT DO NOTHING`,
      args: [organization, member.userUuid, member.role, member.addedAtMs],
    },
  ]);
}

/** An owner may only lose the role while there is another one. */
const isNotLastOwner = `(role <> 'owner' OR
  (SELECT count(*) FROM members o WHERE o.organization = members.organization AND o.role = 'owner') > 1)`;

/** Gives a member another role. Whether the member has it now: the last owner keeps the old one. */
export async function changeRole(
  catalog: CatalogConnection,
  organization: string,
  userUuid: string,
  role: Role,
): Promise<boolean> {
  const [, now] = await catalog.write([
    {
      sql: `UPDATE members SET role = ? WHERE organization = ? AND user_uuid = ? AND ${isNotLastOwner}`,
      args: [role, organization, userUuid],
    },
    { sql: 'SELECT role FROM members WHERE organization = ? AND user_uuid = ?', args: [organization, userUuid] },
  ]);
  return now?.rows[0]?.['role'] === role;
}

/** Removes a member, with the tokens that the member has for this organization. Whether the member is gone. */
export async function removeMember(
  catalog: CatalogConnection,
  organization: string,
  userUuid: string,
): Promise<boolean> {
  const [, , now] = await catalog.write([
    {
      sql: `DELETE FROM members WHERE organization = ? AND user_uuid = ? AND ${isNotLastOwner}`,
      args: [organization, userUuid],
    },
    {
      sql: `DELETE FROM api_tokens WHERE organization = ? AND user_uuid = ?
            AND NOT EXISTS (SELECT 1 FROM members m WHERE m.organization = api_tokens.organization
                            AND m.user_uuid = api_tokens.user_uuid)`,
      args: [organization, userUuid],
    },
    { sql: 'SELECT 1 FROM members WHERE organization = ? AND user_uuid = ?', args: [organization, userUuid] },
  ]);
  return now?.rows.length === 0;
}

function memberFromRow(row: Row): MemberRecord {
  return {
    userUuid: textOf(row, 'user_uuid'),
    username: textOf(row, 'username'),
    email: textOf(row, 'email'),
    role: textOf(row, 'role') as Role,
    addedAtMs: integerOf(row, 'added_at_ms'),
  };
}
