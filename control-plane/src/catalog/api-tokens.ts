/** The `api_tokens` table: the platform tokens that are in force, and whom and what each stands for. */
import type { Row } from '@libsql/client';
import type { GroupScope, Role, TokenRestriction } from '../auth/permissions.js';
import type { MintedToken } from '../auth/token-minter.js';
import type { TokenHolder } from '../auth/token-holder.js';
import type { CatalogConnection } from './catalog-connection.js';
import { mintedTokenRecord } from './minted-tokens.js';
import { integerOf, textOf } from './row-values.js';
import { userColumns, userFromRow } from './users.js';

export interface ApiTokenRecord {
  /** The token's `jti`. */
  readonly id: string;
  readonly name: string;
  readonly owner: { readonly uuid: string; readonly username: string; readonly email: string };
  readonly createdAtMs: number;
  readonly restriction?: TokenRestriction & { readonly groupName?: string };
}

const select = `SELECT t.id, t.name, t.organization, t.group_uuid, g.name AS group_name, t.scopes, t.created_at_ms,
    u.uuid AS owner_uuid, u.username, u.email
  FROM api_tokens t JOIN users u ON u.uuid = t.user_uuid LEFT JOIN groups g ON g.uuid = t.group_uuid`;

/** A user's tokens, oldest first; those of a sign-in are not listed. */
export async function listApiTokens(catalog: CatalogConnection, userUuid: string): Promise<ApiTokenRecord[]> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE t.user_uuid = ? AND t.is_session = 0 ORDER BY t.created_at_ms, t.name`,
    args: [userUuid],
  });
  return rows.map(tokenFromRow);
}

/** The tokens that are restricted to an organization, of all its members, oldest first. */
export async function tokensOfOrganization(
  catalog: CatalogConnection,
  organization: string,
): Promise<ApiTokenRecord[]> {
  const { rows } = await catalog.read({
    sql: `${select} WHERE t.organization = ? ORDER BY t.created_at_ms, t.name`,
    args: [organization],
  });
  return rows.map(tokenFromRow);
}

/** Whom a platform token that is in force stands for, or undefined. */
export async function findTokenHolder(catalog: CatalogConnection, id: string): Promise<TokenHolder | undefined> {
  const { rows } = await catalog.read({
    sql: `SELECT t.name AS token_name, t.organization, t.group_uuid, t.scopes, ${userColumns}
          FROM api_tokens t JOIN users u ON u.uuid = t.user_uuid WHERE t.id = ?`,
    args: [id],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  const user = userFromRow(row);
  const members = await catalog.read({
    sql: 'SELECT organization, role FROM members WHERE user_uuid = ? ORDER BY added_at_ms, organization',
    args: [user.uuid],
  });
  const memberships = new Map(
    members.rows.map((member) => [textOf(member, 'organization'), textOf(member, 'role') as Role]),
  );
  const restriction = restrictionOf(row);
  return { tokenName: textOf(row, 'token_name'), user, memberships, ...(restriction && { restriction }) };
}

/** Puts a platform token in force under its subject as name and records it; false when its user has the name in use. */
export async function insertApiToken(
  catalog: CatalogConnection,
  token: MintedToken,
  owner: { readonly userUuid: string; readonly isSession?: boolean; readonly restriction?: TokenRestriction },
): Promise<boolean> {
  const { userUuid, isSession = false, restriction } = owner;
  const [, , holder] = await catalog.write([
    {
      sql: `INSERT INTO api_tokens (id, user_uuid, name, organization, group_uuid, scopes, is_session, created_at_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      args: [
        token.jti,
        userUuid,
        token.subject,
        restriction?.organization ?? null,
        restriction?.group?.uuid ?? null,
        restriction?.group === undefined ? null : JSON.stringify(restriction.group.scopes),
        isSession ? 1 : 0,
        token.mintedAtMs,
      ],
    },
    mintedTokenRecord(token),
    { sql: 'SELECT id FROM api_tokens WHERE user_uuid = ? AND name = ?', args: [userUuid, token.subject] },
  ]);
  return holder?.rows[0]?.['id'] === token.jti;
}

/** Forgets the tokens of a user's sign-ins that were minted before a time, when they have expired. */
export async function forgetSessions(catalog: CatalogConnection, userUuid: string, beforeMs: number): Promise<void> {
  await catalog.write([
    {
      sql: 'DELETE FROM api_tokens WHERE user_uuid = ? AND is_session = 1 AND created_at_ms < ?',
      args: [userUuid, beforeMs],
    },
  ]);
}

/** Takes the platform token with this id out of force. */
export async function revokeApiToken(catalog: CatalogConnection, id: string, nowMs: number): Promise<void> {
  await catalog.write([
    { sql: 'UPDATE minted_tokens SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE jti = ?', args: [nowMs, id] },
    { sql: 'DELETE FROM api_tokens WHERE id = ?', args: [id] },
  ]);
}

/** Takes all platform tokens of a user that were minted before a time out of force. */
export async function revokeTokensOfUser(
  catalog: CatalogConnection,
  userUuid: string,
  beforeMs: number,
): Promise<void> {
  const mine = 'SELECT id FROM api_tokens WHERE user_uuid = ? AND created_at_ms < ?';
  await catalog.write([
    {
      sql: `UPDATE minted_tokens SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE jti IN (${mine})`,
      args: [beforeMs, userUuid, beforeMs],
    },
    { sql: `DELETE FROM api_tokens WHERE id IN (${mine})`, args: [userUuid, beforeMs] },
  ]);
}

function tokenFromRow(row: Row): ApiTokenRecord {
  const restriction = restrictionOf(row);
  return {
    id: textOf(row, 'id'),
    name: textOf(row, 'name'),
    owner: { uuid: textOf(row, 'owner_uuid'), username: textOf(row, 'username'), email: textOf(row, 'email') },
    createdAtMs: integerOf(row, 'created_at_ms'),
    ...(restriction && {
      restriction: { ...restriction, ...(row['group_name'] !== null && { groupName: textOf(row, 'group_name') }) },
    }),
  };
}

function restrictionOf(row: Row): TokenRestriction | undefined {
  if (row['organization'] === null) return undefined;
  const organization = textOf(row, 'organization');
  if (row['group_uuid'] === null) return { organization };
  const scopes = JSON.parse(textOf(row, 'scopes')) as GroupScope[];
  return { organization, group: { uuid: textOf(row, 'group_uuid'), scopes } };
}
