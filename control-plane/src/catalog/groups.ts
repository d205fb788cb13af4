import type { Row } from '@libsql/client';
import { noteIssuers } from './access-rules.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

export interface GroupRecord {
  readonly uuid: string;
  readonly name: string;
  readonly location: string;
  /** The key of the key service for new databases of the group. @default the deployment's */
  readonly keyId?: string;
  readonly deleteProtection: boolean;
}

const columns = 'uuid, name, location, key_id, delete_protection';

/** The groups of the organization that are not being deleted, by name. */
export async function listGroups(catalog: CatalogConnection, organization: string): Promise<GroupRecord[]> {
  const result = await catalog.read({
    sql: `SELECT ${columns} FROM groups WHERE organization = ? AND state = 'ready' ORDER BY name`,
    args: [organization],
  });
  return result.rows.map(groupFromRow);
}

/** The organization's group of this name, or with this uuid, or undefined; one that is being deleted counts only with `includeDeleting`. */
export async function findGroup(
  catalog: CatalogConnection,
  organization: string,
  nameOrUuid: string,
  options: { readonly includeDeleting?: boolean } = {},
): Promise<GroupRecord | undefined> {
  const result = await catalog.read({
    sql: `SELECT ${columns} FROM groups WHERE organization = ? AND (name = ? OR uuid = ?) AND (state = 'ready' OR ?)
          ORDER BY name = ? DESC LIMIT 1`,
    args: [organization, nameOrUuid, nameOrUuid, options.includeDeleting === true ? 1 : 0, nameOrUuid],
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
    ...noteIssuers({ uuid: group.uuid }),
  ]);
  return holder?.rows[0]?.['uuid'] === group.uuid;
}

const isUnprotected = `NOT EXISTS (SELECT 1 FROM groups WHERE uuid = ? AND delete_protection = 1)
  AND NOT EXISTS (SELECT 1 FROM databases WHERE group_uuid = ? AND delete_protection = 1)`;

/**
 * Marks a group and all its databases as being deleted; from then on nothing new can come into it. False when the group or
 * one of its databases is protected. Platform tokens for the group end.
 */
export async function markGroupDeleting(catalog: CatalogConnection, uuid: string): Promise<boolean> {
  const [, , , marked] = await catalog.write([
    { sql: `UPDATE groups SET state = 'deleting' WHERE uuid = ? AND ${isUnprotected}`, args: [uuid, uuid, uuid] },
    {
      sql: `UPDATE databases SET state = 'deleting' WHERE group_uuid = ?
            AND EXISTS (SELECT 1 FROM groups WHERE uuid = ? AND state = 'deleting')`,
      args: [uuid, uuid],
    },
    {
      sql: `DELETE FROM api_tokens WHERE group_uuid = ?
            AND EXISTS (SELECT 1 FROM groups WHERE uuid = ? AND state = 'deleting')`,
      args: [uuid, uuid],
    },
    { sql: "SELECT 1 FROM groups WHERE uuid = ? AND state = 'deleting'", args: [uuid] },
  ]);
  return marked?.rows.length === 1;
}

/** Gives a group another name; false when another group of the organization has it. */
export async function renameGroup(
  catalog: CatalogConnection,
  organization: string,
  uuid: string,
  name: string,
): Promise<boolean> {
  const [, holder] = await catalog.write([
    { sql: 'UPDATE OR IGNORE groups SET name = ? WHERE uuid = ?', args: [name, uuid] },
    { sql: 'SELECT uuid FROM groups WHERE organization = ? AND name = ?', args: [organization, name] },
  ]);
  return holder?.rows[0]?.['uuid'] === uuid;
}

/** Sets whether a group can be deleted. */
export async function configureGroup(
  catalog: CatalogConnection,
  uuid: string,
  deleteProtection: boolean,
): Promise<void> {
  await catalog.write([
    { sql: 'UPDATE groups SET delete_protection = ? WHERE uuid = ?', args: [deleteProtection ? 1 : 0, uuid] },
  ]);
}

/**
 * Moves a group with its databases to another organization; host names and database tokens stay. False when a group or a
 * database there has a name that comes. Platform tokens for the group end.
 */
export async function transferGroup(
  catalog: CatalogConnection,
  uuid: string,
  from: string,
  to: string,
): Promise<boolean> {
  const fits = `NOT EXISTS (SELECT 1 FROM groups g JOIN groups o ON o.name = g.name AND o.organization = ? WHERE g.uuid = ?
      AND o.uuid <> g.uuid)
    AND NOT EXISTS (SELECT 1 FROM databases d JOIN databases o ON o.name = d.name AND o.organization = ?
      WHERE d.group_uuid = ? AND o.group_uuid <> d.group_uuid)`;
  const isThere = 'EXISTS (SELECT 1 FROM groups WHERE uuid = ? AND organization = ?)';
  const moved = await catalog.write([
    {
      sql: `UPDATE groups SET organization = ? WHERE uuid = ? AND organization = ? AND ${fits}`,
      args: [to, uuid, from, to, uuid, to, uuid],
    },
    {
      sql: `UPDATE databases SET organization = ? WHERE group_uuid = ? AND ${isThere}`,
      args: [to, uuid, uuid, to],
    },
    {
      sql: `UPDATE deleted_databases SET organization = ? WHERE group_uuid = ? AND ${isThere}`,
      args: [to, uuid, uuid, to],
    },
    { sql: `DELETE FROM api_tokens WHERE group_uuid = ? AND ${isThere}`, args: [uuid, uuid, to] },
    ...noteIssuers({ uuid }),
    {
      sql: `INSERT INTO counts (scope, subject, databases, stored_bytes)
            SELECT 'organization', value, count(d.uuid), coalesce(sum(d.stored_bytes), 0)
            FROM json_each(?) LEFT JOIN databases d ON d.organization = value GROUP BY value
            ON CONFLICT (scope, subject) DO UPDATE SET databases = excluded.databases,
              stored_bytes = excluded.stored_bytes`,
      args: [JSON.stringify([from, to])],
    },
    { sql: 'SELECT 1 FROM groups WHERE uuid = ? AND organization = ?', args: [uuid, to] },
  ]);
  return moved.at(-1)?.rows.length === 1;
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
    deleteProtection: integerOf(row, 'delete_protection') === 1,
  };
}
