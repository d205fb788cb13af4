import type { Row } from '@libsql/client';
import type { CatalogConnection } from './catalog-connection.js';
import { textOf } from './row-values.js';

export interface GroupRecord {
  readonly uuid: string;
  readonly name: string;
  readonly location: string;
  /** The key of the key service for new databases of the group. @default the deployment's */
  readonly keyId?: string;
}

const columns = 'uuid, name, location, key_id';

/** The groups of the organization that are not being deleted, by name. */
export async function listGroups(catalog: CatalogConnection, organization: string): Promise<GroupRecord[]> {
  const result = await catalog.read({
    sql: `SELECT ${columns} FROM groups WHERE organization = ? AND state = 'ready' ORDER BY name`,
    args: [organization],
  });
  return result.rows.map(groupFromRow);
}

/** The group of this name, or undefined; one that is being deleted counts only with `includeDeleting`. */
export async function findGroup(
  catalog: CatalogConnection,
  organization: string,
  name: string,
  options: { readonly includeDeleting?: boolean } = {},
): Promise<GroupRecord | undefined> {
  const result = await catalog.read({
    sql: `SELECT ${columns} FROM groups WHERE organization = ? AND name = ? AND (state = 'ready' OR ?)`,
    args: [organization, name, options.includeDeleting === true ? 1 : 0],
  });
  return result.rows.map(groupFromRow)[0];
}

/** The group with this uuid, unless it is being deleted. */
export async function findGroupByUuid(catalog: CatalogConnection, uuid: string): Promise<GroupRecord | undefined> {
  const result = await catalog.read({
    sql: `SELECT ${columns} FROM groups WHERE uuid = ? AND state = 'ready'`,
    args: [uuid],
  });
  return result.rows.map(groupFromRow)[0];
}

/** Inserts a group; false when another one has the name. */
export async function insertGroup(
  catalog: CatalogConnection,
  group: GroupRecord & { readonly organization: string; readonly createdAtMs: number },
): Promise<boolean> {
  const [, holder] = await catalog.write([
    {
      sql: `INSERT INTO groups (uuid, organization, name, location, key_id, state, created_at_ms)
            VALUES (?, ?, ?, ?, ?, 'ready', ?) ON CONFLICT DO NOTHING`,
      args: [group.uuid, group.organization, group.name, group.location, group.keyId ?? null, group.createdAtMs],
    },
    { sql: 'SELECT uuid FROM groups WHERE organization = ? AND name = ?', args: [group.organization, group.name] },
  ]);
  return holder?.rows[0]?.['uuid'] === group.uuid;
}

/** Marks a group and all its databases as being deleted; from then on nothing new can come into it. */
export async function markGroupDeleting(catalog: CatalogConnection, uuid: string): Promise<void> {
  await catalog.write([
    { sql: "UPDATE groups SET state = 'deleting' WHERE uuid = ?", args: [uuid] },
    { sql: "UPDATE databases SET state = 'deleting' WHERE group_uuid = ?", args: [uuid] },
  ]);
}

/** Groups whose deletion has begun. */
export async function groupsBeingDeleted(catalog: CatalogConnection): Promise<GroupRecord[]> {
  const result = await catalog.read(`SELECT ${columns} FROM groups WHERE state = 'deleting'`);
  return result.rows.map(groupFromRow);
}

/** Removes a group that is being deleted and has no database left; does nothing otherwise. */
export async function removeEmptyGroup(catalog: CatalogConnection, uuid: string): Promise<void> {
  await catalog.write([
    {
      sql: `DELETE FROM groups WHERE uuid = ? AND state = 'deleting'
            AND NOT EXISTS (SELECT 1 FROM databases WHERE group_uuid = groups.uuid)`,
      args: [uuid],
    },
  ]);
}

function groupFromRow(row: Row): GroupRecord {
  return {
    uuid: textOf(row, 'uuid'),
    name: textOf(row, 'name'),
    location: textOf(row, 'location'),
    ...(row['key_id'] !== null && { keyId: textOf(row, 'key_id') }),
  };
}
