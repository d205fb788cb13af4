import type { CatalogConnection } from './catalog-connection.js';
import { findUser, type UserRecord } from './users.js';

/**
 * Makes a user the first operator of the deployment and an owner of its first organization, in one transaction that can
 * take effect only once, ever: `used` when it had before, or when there is an operator.
 */
export async function useBootstrap(
  catalog: CatalogConnection,
  user: UserRecord,
  organization: string,
): Promise<'done' | 'used' | 'name taken'> {
  if ((await findUser(catalog, user.username)) !== undefined) {
    return (await isUsed(catalog)) ? 'used' : 'name taken';
  }
  const isOurs = 'EXISTS (SELECT 1 FROM bootstrap WHERE user_uuid = ?)';
  const results = await catalog.write([
    {
      sql: `INSERT INTO bootstrap (id, user_uuid, used_at_ms)
            SELECT 1, ?, ? WHERE NOT EXISTS (SELECT 1 FROM users WHERE is_operator = 1) ON CONFLICT DO NOTHING`,
      args: [user.uuid, user.createdAtMs],
    },
    {
      sql: `INSERT INTO users (uuid, username, email, name, is_operator, created_at_ms)
            SELECT ?, ?, ?, ?, 1, ? WHERE ${isOurs} ON CONFLICT DO NOTHING`,
      args: [user.uuid, user.username, user.email, user.name, user.createdAtMs, user.uuid],
    },
    {
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms)
            SELECT ?, uuid, 'owner', ? FROM users WHERE uuid = ? ON CONFLICT DO NOTHING`,
      args: [organization, user.createdAtMs, user.uuid],
    },
    { sql: 'SELECT 1 FROM bootstrap WHERE user_uuid = ?', args: [user.uuid] },
  ]);
  return results.at(-1)?.rows.length === 1 ? 'done' : 'used';
}

/** The user that a launcher on this machine acts for: operator, and owner of the first organization. */
export async function ensureLocalUser(
  catalog: CatalogConnection,
  user: UserRecord,
  organization: string,
): Promise<UserRecord> {
  const [, , , found] = await catalog.write([
    {
      sql: `INSERT INTO users (uuid, username, email, name, is_operator, created_at_ms)
            VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO NOTHING`,
      args: [user.uuid, user.username, user.email, user.name, user.createdAtMs],
    },
    {
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms)
            SELECT ?, uuid, 'owner', ? FROM users WHERE username = ? ON CONFLICT DO NOTHING`,
      args: [organization, user.createdAtMs, user.username],
    },
    {
      sql: 'INSERT INTO bootstrap (id, user_uuid, used_at_ms) VALUES (1, ?, ?) ON CONFLICT DO NOTHING',
      args: [user.uuid, user.createdAtMs],
    },
    { sql: 'SELECT uuid FROM users WHERE username = ?', args: [user.username] },
  ]);
  const uuid = found?.rows[0]?.['uuid'];
  return typeof uuid === 'string' ? { ...user, uuid } : user;
}

async function isUsed(catalog: CatalogConnection): Promise<boolean> {
  const { rows } = await catalog.read(
    'SELECT 1 FROM bootstrap UNION ALL SELECT 1 FROM users WHERE is_operator = 1 LIMIT 1',
  );
  return rows.length > 0;
}
