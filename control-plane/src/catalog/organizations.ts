/** The `organizations` table. A slug is part of host names, never changes, and contains no dash. */
import type { Row } from '@libsql/client';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export interface OrganizationRecord {
  readonly uuid: string;
  readonly slug: string;
  /** As people write it. */
  readonly name: string;
  readonly type: 'personal' | 'team';
  readonly requireMfa: boolean;
  readonly createdAtMs: number;
}

const columns = 'o.uuid, o.slug, o.name, o.type, o.require_mfa, o.created_at_ms';

/** The organization with this slug or uuid. */
export async function findOrganization(
  catalog: CatalogConnection,
  slugOrUuid: string,
): Promise<OrganizationRecord | undefined> {
  const { rows } = await catalog.read({
    sql: `SELECT ${columns} FROM organizations o WHERE o.slug = ? OR o.uuid = ? LIMIT 1`,
    args: [slugOrUuid, slugOrUuid],
  });
  return rows.map(organizationFromRow)[0];
}

/** The organizations with these slugs, by slug. */
export async function organizationsNamed(
  catalog: CatalogConnection,
  slugs: readonly string[],
): Promise<OrganizationRecord[]> {
  if (slugs.length === 0) return [];
  const { rows } = await catalog.read({
    sql: `SELECT ${columns} FROM organizations o WHERE o.slug IN (SELECT value FROM json_each(?)) ORDER BY o.slug`,
    args: [JSON.stringify(slugs)],
  });
  return rows.map(organizationFromRow);
}

/**
 * A slug that may be given out, whether or not an organization has it now. It never was one that is deleted, whose audit
 * log and deleted databases are found by it: a catalog that was rebuilt knows those from the audit log alone. And no other
 * user has it as name: an organization is not to pass for that user's own.
 */
const mayBeGivenOut = `NOT EXISTS (SELECT 1 FROM deleted_organizations WHERE slug = ?)
  AND NOT EXISTS (SELECT 1 FROM audit_log WHERE organization = ?)
  AND NOT EXISTS (SELECT 1 FROM users WHERE username = ? AND uuid <> ?)`;

/** Whether a user could create an organization with this slug now. */
export async function isSlugFree(catalog: CatalogConnection, slug: string, ownerUuid: string): Promise<boolean> {
  const { rows } = await catalog.read({
    sql: `SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM organizations WHERE slug = ?) AND ${mayBeGivenOut}`,
    args: [slug, slug, slug, slug, ownerUuid],
  });
  return rows.length === 1;
}

/** Creates an organization with its owner; false when another one has or had the slug, or another user has it as name. */
export async function insertOrganization(
  catalog: CatalogConnection,
  organization: OrganizationRecord,
  ownerUuid: string,
): Promise<boolean> {
  const { uuid, slug, name, type, createdAtMs } = organization;
  const [, , holder] = await catalog.write([
    {
      sql: `INSERT INTO organizations (uuid, slug, name, type, created_at_ms)
            SELECT ?, ?, ?, ?, ? WHERE ${mayBeGivenOut} ON CONFLICT DO NOTHING`,
      args: [uuid, slug, name, type, createdAtMs, slug, slug, slug, ownerUuid],
    },
    {
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms)
            SELECT slug, ?, 'owner', ? FROM organizations WHERE uuid = ? ON CONFLICT DO NOTHING`,
      args: [ownerUuid, createdAtMs, uuid],
    },
    { sql: 'SELECT uuid FROM organizations WHERE slug = ?', args: [slug] },
  ]);
  return holder?.rows[0]?.['uuid'] === uuid;
}

/** Sets whether members must have signed in with a second factor. */
export async function updateOrganization(catalog: CatalogConnection, uuid: string, requireMfa: boolean): Promise<void> {
  await catalog.write([
    { sql: 'UPDATE organizations SET require_mfa = ? WHERE uuid = ?', args: [requireMfa ? 1 : 0, uuid] },
  ]);
}

/**
 * Removes an organization that has no group, with its members, invites and tokens. Its audit log and what is remembered of
 * its deleted databases stay under its slug, which nobody gets again. Whether it is gone.
 */
export async function removeOrganization(
  catalog: CatalogConnection,
  { uuid, slug }: OrganizationRecord,
  deletedAtMs: number,
): Promise<boolean> {
  const isEmpty = 'NOT EXISTS (SELECT 1 FROM groups WHERE organization = ?)';
  const gone = await catalog.write([
    { sql: `DELETE FROM members WHERE organization = ? AND ${isEmpty}`, args: [slug, slug] },
    { sql: `DELETE FROM invites WHERE organization = ? AND ${isEmpty}`, args: [slug, slug] },
    { sql: `DELETE FROM api_tokens WHERE organization = ? AND ${isEmpty}`, args: [slug, slug] },
    { sql: `DELETE FROM issuers WHERE organization = ? AND ${isEmpty}`, args: [slug, slug] },
    { sql: `DELETE FROM limits WHERE scope = 'organization' AND subject = ? AND ${isEmpty}`, args: [slug, slug] },
    {
      sql: `INSERT INTO deleted_organizations (slug, deleted_at_ms)
            SELECT slug, ? FROM organizations WHERE uuid = ? AND ${isEmpty} ON CONFLICT DO NOTHING`,
      args: [deletedAtMs, uuid, slug],
    },
    { sql: `DELETE FROM organizations WHERE uuid = ? AND ${isEmpty}`, args: [uuid, slug] },
    { sql: 'SELECT 1 FROM organizations WHERE uuid = ?', args: [uuid] },
  ]);
  return gone.at(-1)?.rows.length === 0;
}

function organizationFromRow(row: Row): OrganizationRecord {
  return {
    uuid: textOf(row, 'uuid'),
    slug: textOf(row, 'slug'),
    name: textOf(row, 'name'),
    type: textOf(row, 'type') as OrganizationRecord['type'],
    requireMfa: integerOf(row, 'require_mfa') === 1,
    createdAtMs: integerOf(row, 'created_at_ms'),
  };
}
