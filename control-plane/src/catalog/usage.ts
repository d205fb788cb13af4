import type { CatalogConnection } from './catalog-connection.js';
import { integerOf } from './row-values.js';

/** How many databases and groups an organization has. */
export async function countsOfOrganization(
  catalog: CatalogConnection,
  organization: string,
): Promise<{ readonly databases: number; readonly groups: number }> {
  const { rows } = await catalog.read({
    sql: `SELECT coalesce((SELECT databases FROM counts WHERE scope = 'organization' AND subject = ?), 0) AS databases,
            (SELECT count(*) FROM groups WHERE organization = ?) AS groups`,
    args: [organization, organization],
  });
  const [row] = rows;
  return row === undefined
    ? { databases: 0, groups: 0 }
    : { databases: integerOf(row, 'databases'), groups: integerOf(row, 'groups') };
}

/** How many databases a group has, also those that are being made or deleted. */
export async function countDatabasesOfGroup(catalog: CatalogConnection, groupUuid: string): Promise<number> {
  const { rows } = await catalog.read({
    sql: "SELECT databases FROM counts WHERE scope = 'group' AND subject = ?",
    args: [groupUuid],
  });
  const [row] = rows;
  return row === undefined ? 0 : integerOf(row, 'databases');
}
