/** Reads and writes of the catalog that compare it with the manifests, and rebuild it from them. */
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

interface ComparedRow {
  readonly name: string;
  readonly addressOrganization: string;
  readonly groupUuid: string;
  readonly engine: string;
}

/** The rows of these databases, in whatever state, by uuid. */
export async function databasesOfManifests(
  catalog: CatalogConnection,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, ComparedRow>> {
  const { rows } = await catalog.read({
    sql: `SELECT uuid, name, address_organization, group_uuid, engine FROM databases
          WHERE uuid IN (SELECT value FROM json_each(?))`,
    args: [JSON.stringify(uuids)],
  });
  return new Map(
    rows.map((row) => [
      textOf(row, 'uuid'),
      {
        name: textOf(row, 'name'),
        addressOrganization: textOf(row, 'address_organization'),
        groupUuid: textOf(row, 'group_uuid'),
        engine: textOf(row, 'engine'),
      },
    ]),
  );
}

const pageRows = 10_000;

/** `ready` databases that were created before a time and are not among these. */
export async function rowsWithout(
  catalog: CatalogConnection,
  uuids: readonly string[],
  createdBeforeMs: number,
): Promise<{ readonly uuid: string; readonly name: string }[]> {
  const present = new Set(uuids);
  const absent: { uuid: string; name: string }[] = [];
  for (let after = ''; ;) {
    const { rows } = await catalog.read({
      sql: `SELECT uuid, name, created_at_ms FROM databases WHERE state = 'ready' AND uuid > ? ORDER BY uuid LIMIT ?`,
      args: [after, pageRows],
    });
    for (const row of rows) {
      const uuid = textOf(row, 'uuid');
      if (!present.has(uuid) && integerOf(row, 'created_at_ms') < createdBeforeMs) {
        absent.push({ uuid, name: textOf(row, 'name') });
      }
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageRows) return absent;
    after = textOf(last, 'uuid');
  }
}

export async function readyDatabaseCount(catalog: CatalogConnection): Promise<number> {
  const { rows } = await catalog.read(
    "SELECT coalesce(sum(databases), 0) AS count FROM counts WHERE scope = 'organization'",
  );
  const [row] = rows;
  return row === undefined ? 0 : integerOf(row, 'count');
}

export interface RebuiltDatabase {
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly group: { readonly id: string; readonly name: string };
  readonly engine: string;
  readonly createdAtMs: number;
  readonly parent?: { readonly id: string; readonly name: string };
}

/**
 * Inserts databases that the catalog has lost, with the organizations and groups that they name; what is there stays. A
 * group whose name is taken comes back under its uuid. Returns how many databases were inserted.
 */
export async function insertRebuilt(
  catalog: CatalogConnection,
  databases: readonly RebuiltDatabase[],
  location: string,
  nowMs: number,
): Promise<number> {
  const json = JSON.stringify(databases);
  const ids = JSON.stringify(databases.map(({ id }) => id));
  const before = await databasesOfManifests(
    catalog,
    databases.map(({ id }) => id),
  );
  const group = "d.value -> 'group' ->>";
  const results = await catalog.write([
    {
      sql: `INSERT INTO organizations (uuid, slug, name, type, created_at_ms)
            SELECT DISTINCT 'rebuilt-' || (d.value ->> 'organization'), d.value ->> 'organization', d.value ->> 'organization',
              'team', ? FROM json_each(?) d WHERE true ON CONFLICT DO NOTHING`,
      args: [nowMs, json],
    },
    {
      // Whoever is an operator owns what nobody owns any more.
      sql: `INSERT INTO members (organization, user_uuid, role, added_at_ms)
            SELECT o.slug, u.uuid, 'owner', ? FROM organizations o, users u
            WHERE u.is_operator = 1 AND o.uuid LIKE 'rebuilt-%'
              AND NOT EXISTS (SELECT 1 FROM members m WHERE m.organization = o.slug) ON CONFLICT DO NOTHING`,
      args: [nowMs],
    },
    ...[`${group} 'name'`, `${group} 'id'`].map((name) => ({
      sql: `INSERT INTO groups (uuid, organization, name, location, state, created_at_ms)
            SELECT DISTINCT ${group} 'id', d.value ->> 'organization', ${name}, ?, 'ready', ? FROM json_each(?) d
            WHERE NOT EXISTS (SELECT 1 FROM groups g WHERE g.uuid = ${group} 'id') ON CONFLICT DO NOTHING`,
      args: [location, nowMs, json],
    })),
    {
      sql: `INSERT INTO databases (uuid, organization, name, group_uuid, engine, state, claimed_by, created_at_ms, origin,
              parent_uuid, parent_name, address_organization)
            SELECT d.value ->> 'id', g.organization, d.value ->> 'name', g.uuid, d.value ->> 'engine', 'ready', 'rebuilt',
              d.value ->> 'createdAtMs', CASE WHEN d.value -> 'parent' IS NULL THEN 'new' ELSE 'branch' END,
              d.value -> 'parent' ->> 'id', d.value -> 'parent' ->> 'name', d.value ->> 'organization'
            FROM json_each(?) d JOIN groups g ON g.uuid = ${group} 'id' WHERE true ON CONFLICT DO NOTHING`,
      args: [json],
    },
    { sql: 'SELECT count(*) AS count FROM databases WHERE uuid IN (SELECT value FROM json_each(?))', args: [ids] },
  ]);
  const row = results.at(-1)?.rows[0];
  return (row === undefined ? 0 : integerOf(row, 'count')) - before.size;
}
