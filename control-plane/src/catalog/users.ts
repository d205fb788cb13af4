/** The `users` table: people, and programs that have a user of their own. */
import type { Row } from '@libsql/client';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export interface UserRecord {
  readonly uuid: string;
  readonly username: string;
  readonly email: string;
  /** As people write it. */
  readonly name: string;
  /** May set limits, create users and see every organization's name. */
  readonly isOperator: boolean;
  readonly createdAtMs: number;
}

export const userColumns = 'u.uuid, u.username, u.email, u.name, u.is_operator, u.created_at_ms';

export async function findUser(catalog: CatalogConnection, username: string): Promise<UserRecord | undefined> {
  return first(
    await catalog.read({ sql: `SELECT ${userColumns} FROM users u WHERE u.username = ?`, args: [username] }),
  );
}

/** The user that an identity provider knows by this subject. */
export async function findUserBySubject(catalog: CatalogConnection, subject: string): Promise<UserRecord | undefined> {
  return first(await catalog.read({ sql: `SELECT ${userColumns} FROM users u WHERE u.subject = ?`, args: [subject] }));
}

/** The user with this e-mail address that no identity provider has claimed yet. */
export async function findUnclaimedUser(catalog: CatalogConnection, email: string): Promise<UserRecord | undefined> {
  return first(
    await catalog.read({
      sql: `SELECT ${userColumns} FROM users u WHERE u.email = ? AND u.email <> '' AND u.subject IS NULL
            ORDER BY u.created_at_ms LIMIT 1`,
      args: [email],
    }),
  );
}

/** Lets an identity provider's subject stand for a user, unless another one does already. */
export async function claimUser(catalog: CatalogConnection, uuid: string, subject: string): Promise<void> {
  await catalog.write([
    { sql: 'UPDATE users SET subject = ? WHERE uuid = ? AND subject IS NULL', args: [subject, uuid] },
  ]);
}

/** Inserts a user; false when another one has the name or the subject. */
export async function insertUser(
  catalog: CatalogConnection,
  user: UserRecord & { readonly subject?: string },
): Promise<boolean> {
  const [, holder] = await catalog.write([
    {
      sql: `INSERT INTO users (uuid, username, email, name, subject, is_operator, created_at_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      args: [
        user.uuid,
        user.username,
        user.email,
        user.name,
        user.subject ?? null,
        user.isOperator ? 1 : 0,
        user.createdAtMs,
      ],
    },
    { sql: 'SELECT uuid FROM users WHERE username = ?', args: [user.username] },
  ]);
  return holder?.rows[0]?.['uuid'] === user.uuid;
}

/** All users, by name. */
export async function listUsers(catalog: CatalogConnection): Promise<UserRecord[]> {
  const { rows } = await catalog.read(`SELECT ${userColumns} FROM users u ORDER BY u.username`);
  return rows.map(userFromRow);
}

export function userFromRow(row: Row): UserRecord {
  return {
    uuid: textOf(row, 'uuid'),
    username: textOf(row, 'username'),
    email: textOf(row, 'email'),
    name: textOf(row, 'name'),
    isOperator: integerOf(row, 'is_operator') === 1,
    createdAtMs: integerOf(row, 'created_at_ms'),
  };
}

function first({ rows }: { readonly rows: readonly Row[] }): UserRecord | undefined {
  return rows.map(userFromRow)[0];
}
