/** The `deleted_databases` table: what was deleted, so that it can be brought back for as long as the data plane keeps it. */
import type { Row } from '@libsql/client';
import { databaseId, type DatabaseId, type EngineName } from '@turso-byoc/data-plane/identity.js';
import type { CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import type { CatalogConnection } from './catalog-connection.js';
import { cipherOf, parentOf, type ParentDatabase } from './databases.js';
import { integerOf, textOf } from './row-values.js';

export interface DeletedDatabase {
  readonly uuid: DatabaseId;
  readonly organization: string;
  /** Slug in its host name. */
  readonly addressOrganization: string;
  readonly name: string;
  readonly groupUuid: string;
  readonly engine: EngineName;
  readonly parent?: ParentDatabase;
  /** Present when its client holds the key. */
  readonly encryptionCipher?: CipherName;
  readonly createdAtMs: number;
  readonly deletedAtMs: number;
}

/** A database that is back, or coming back, has a row there again. */
const isGone = 'uuid NOT IN (SELECT uuid FROM databases)';

/** The deleted databases of the organization, the last one deleted first. */
export async function listDeleted(catalog: CatalogConnection, organization: string): Promise<DeletedDatabase[]> {
  const { rows } = await catalog.read({
    sql: `SELECT * FROM deleted_databases WHERE organization = ? AND ${isGone} ORDER BY deleted_at_ms DESC, uuid`,
    args: [organization],
  });
  return rows.map(deletedFromRow);
}

/** The deleted database with this uuid, or the last one deleted that had this name; undefined when there is none. */
export async function findDeleted(
  catalog: CatalogConnection,
  organization: string,
  uuidOrName: string,
): Promise<DeletedDatabase | undefined> {
  const { rows } = await catalog.read({
    sql: `SELECT * FROM deleted_databases WHERE organization = ? AND (uuid = ? OR name = ?) AND ${isGone}
          ORDER BY uuid = ? DESC, deleted_at_ms DESC LIMIT 1`,
    args: [organization, uuidOrName, uuidOrName, uuidOrName],
  });
  return rows.map(deletedFromRow)[0];
}

/** Forgets a deleted database: it is back, as large as it was, or gone for good. */
export async function forgetDeleted(catalog: CatalogConnection, uuid: DatabaseId): Promise<void> {
  await catalog.write([
    {
      sql: `UPDATE databases SET (stored_bytes, stored_commit) = (x.stored_bytes, x.stored_commit)
            FROM deleted_databases x WHERE x.uuid = ? AND databases.uuid = x.uuid AND databases.stored_commit < x.stored_commit`,
      args: [uuid],
    },
    { sql: 'DELETE FROM deleted_databases WHERE uuid = ?', args: [uuid] },
  ]);
}

function deletedFromRow(row: Row): DeletedDatabase {
  return {
    uuid: databaseId(textOf(row, 'uuid')),
    organization: textOf(row, 'organization'),
    addressOrganization: textOf(row, 'address_organization'),
    name: textOf(row, 'name'),
    groupUuid: textOf(row, 'group_uuid'),
    engine: textOf(row, 'engine') as EngineName,
    ...(row['parent_uuid'] !== null && { parent: parentOf(row) }),
    ...cipherOf(row),
    createdAtMs: integerOf(row, 'created_at_ms'),
    deletedAtMs: integerOf(row, 'deleted_at_ms'),
  };
}
