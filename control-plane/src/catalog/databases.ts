/**
 * The `databases` table. A row is inserted as `creating`, becomes `ready` when the data plane has the database, then
 * `deleting`, and is removed when the data plane has it no more. `claimed_by` names the one request that may answer
 * "created": of several that work on the same row, one gets the claim.
 */
import type { InStatement, Row } from '@libsql/client';
import { databaseId, isDatabaseId, type DatabaseId, type EngineName } from '@turso-byoc/data-plane/identity.js';
import {
  allowedOrigins,
  inheritReadRules,
  setAllowedOrigins,
  setBlocks,
  setMaxBytes,
  type AllowedOrigins,
} from './access-rules.js';
import { isCipherName, type CipherName } from '@turso-byoc/data-plane/keys/ciphers.js';
import type { CatalogConnection } from './catalog-connection.js';
import { isGivenUp, loadLeaseMs } from './dump-loads.js';
import { integerOf, textOf } from './row-values.js';

/** How long a deleted database is listed; whether it can be brought back is the data plane's to say. */
const rememberedMs = 365 * 86_400_000;

export type DatabaseState = 'creating' | 'ready' | 'deleting';

/** What a database is made from: nothing, another database (`parent`), or, after its deletion, its own past. */
export type DatabaseOrigin = 'new' | 'branch' | 'undelete';

/** The database that another one is a branch of, under the name that it had then. */
export interface ParentDatabase {
  readonly uuid: DatabaseId;
  readonly name: string;
}

export interface DatabaseRecord {
  readonly uuid: DatabaseId;
  /** Slug of the organization that has it. */
  readonly organization: string;
  /** Slug in its host name: of the organization that it was created in. */
  readonly addressOrganization: string;
  readonly name: string;
  readonly group: { readonly uuid: string; readonly name: string };
  readonly engine: EngineName;
  readonly state: DatabaseState;
  /** The request that may answer "created"; absent while nobody has claimed the creation. */
  readonly claimedBy?: string;
  readonly createdAtMs: number;
  readonly origin: DatabaseOrigin;
  readonly parent?: ParentDatabase;
  /** It was created for a file, which whoever asked for it uploads to the data plane. */
  readonly awaitsFile?: boolean;
  /** Id of the dump that it is to begin as, until it has. What opens the dump is in no row. */
  readonly dump?: string;
  /** The branch begins as the parent was at this time; absent: as it was when the branch was made. */
  readonly seedTimeMs?: number;
  /** The key of the key service that was named for it, by itself or by its group. */
  readonly keyId?: string;
  /** The cipher that was declared for it; present when its client holds the key. */
  readonly encryptionCipher?: CipherName;
  readonly configuration: DatabaseConfiguration;
}

/** What a database can be set to. */
export interface DatabaseConfiguration {
  readonly deleteProtection: boolean;
  readonly blockReads: boolean;
  readonly blockWrites: boolean;
  /** Absent: as large as the data nodes let it become. */
  readonly maxBytes?: number;
  readonly allowedOrigins: AllowedOrigins;
}

/** Whether a database has rules of its own that limit reads of it. */
export function limitsReads({ blockReads, allowedOrigins: { ips, vpcEndpoints } }: DatabaseConfiguration): boolean {
  return blockReads || ips.length > 0 || vpcEndpoints.length > 0;
}

/** The columns of a row as it is read, and where each comes from. */
const columns = {
  uuid: 'd.uuid',
  organization: 'd.organization',
  name: 'd.name',
  group_uuid: 'd.group_uuid',
  group_name: 'g.name',
  engine: 'd.engine',
  state: 'd.state',
  claimed_by: 'd.claimed_by',
  created_at_ms: 'd.created_at_ms',
  origin: 'd.origin',
  parent_uuid: 'd.parent_uuid',
  parent_name: 'd.parent_name',
  seed_time_ms: 'd.seed_time_ms',
  key_id: 'd.key_id',
  encryption_cipher: 'd.encryption_cipher',
  address_organization: 'd.address_organization',
  awaits_file: 'd.awaits_file',
  dump: 'd.dump',
  delete_protection: 'd.delete_protection',
  block_reads: 'coalesce(r.block_reads, 0)',
  block_writes: 'coalesce(r.block_writes, 0)',
  max_bytes: 'r.max_bytes',
  allowed_ips: 'r.allowed_ips',
  allowed_vpc_endpoints: 'r.allowed_vpc_endpoints',
};
const columnNames = Object.keys(columns);

const fromDatabases = `FROM databases d JOIN groups g ON g.uuid = d.group_uuid LEFT JOIN access_rules r ON r.subject = d.uuid`;

const selectDatabases = `SELECT ${Object.entries(columns)
  .map(([name, source]) => `${source} AS ${name}`)
  .join(', ')} ${fromDatabases}`;

const byName = (organization: string, name: string): InStatement => ({
  sql: `${selectDatabases} WHERE d.organization = ? AND d.name = ?`,
  args: [organization, name],
});

const byUuid = (uuid: DatabaseId): InStatement => ({ sql: `${selectDatabases} WHERE d.uuid = ?`, args: [uuid] });

/** The organization's database of this name, or with this uuid, in whatever state; undefined when there is none. */
export async function findDatabase(
  catalog: CatalogConnection,
  organization: string,
  nameOrUuid: string,
): Promise<DatabaseRecord | undefined> {
  const named = firstRecord((await catalog.read(byName(organization, nameOrUuid))).rows);
  if (named !== undefined || !isDatabaseId(nameOrUuid)) return named;
  const record = firstRecord((await catalog.read(byUuid(nameOrUuid))).rows);
  return record?.organization === organization ? record : undefined;
}

/** No database more than the operator allows the organization and the group. */
const hasRoom = `NOT EXISTS (
  SELECT 1 FROM limits l LEFT JOIN counts c ON c.scope = l.scope AND c.subject = l.subject
  WHERE l.name = 'databases' AND coalesce(c.databases, 0) >= l.value
    AND ((l.scope = 'organization' AND l.subject = ?) OR (l.scope = 'group' AND l.subject = ?)))`;

/**
 * Inserts a row as `creating` unless the name is taken, and returns the row that has the name afterwards: the new one
 * has the given uuid, and, if it is a branch, the rules that limit reads of its parent. Without such a row, says why: the group is not there any more (under this name, in this organization),
 * or a quota is used up.
 */
export async function insertCreating(
  catalog: CatalogConnection,
  database: Omit<DatabaseRecord, 'state' | 'claimedBy' | 'configuration'>,
): Promise<DatabaseRecord | 'no group' | 'no room'> {
  const { uuid, origin, parent } = database;
  const results = await catalog.write([
    {
      sql: `INSERT INTO databases (uuid, organization, name, group_uuid, engine, state, created_at_ms, origin,
              parent_uuid, parent_name, seed_time_ms, key_id, encryption_cipher, address_organization, awaits_file,
              dump, loader_until_ms, stored_bytes)
            SELECT ?, ?, ?, uuid, ?, 'creating', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
              coalesce((SELECT stored_bytes FROM databases WHERE uuid = ? AND ? = 'branch'), 0) FROM groups
            WHERE uuid = ? AND organization = ? AND name = ? AND state = 'ready' AND ${hasRoom}
            ON CONFLICT DO NOTHING`,
      args: [
        database.uuid,
        database.organization,
        database.name,
        database.engine,
        database.createdAtMs,
        database.origin,
        database.parent?.uuid ?? null,
        database.parent?.name ?? null,
        database.seedTimeMs ?? null,
        database.keyId ?? null,
        database.encryptionCipher ?? null,
        database.addressOrganization,
        database.awaitsFile === true ? 1 : 0,
        database.dump ?? null,
        database.dump === undefined ? 0 : database.createdAtMs + loadLeaseMs,
        // A branch is as large as its parent, until it is used and tells.
        database.parent?.uuid ?? null,
        database.origin,
        database.group.uuid,
        database.organization,
        database.group.name,
        database.organization,
        database.group.uuid,
      ],
    },
    ...(origin === 'branch' && parent ? inheritReadRules(uuid, parent.uuid) : []),
    byName(database.organization, database.name),
  ]);
  const record = firstRecord(results.at(-1)?.rows ?? []);
  if (record !== undefined) return record;
  const group = await catalog.read({
    sql: "SELECT 1 FROM groups WHERE uuid = ? AND organization = ? AND name = ? AND state = 'ready'",
    args: [database.group.uuid, database.organization, database.group.name],
  });
  return group.rows.length === 1 ? 'no room' : 'no group';
}

/**
 * Makes a `creating` row `ready` and, when a claimant is given and nobody was faster, claims it. Returns whose it is then;
 * undefined when the row is gone, or about to go.
 */
export async function markReady(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  claimant: string | undefined,
): Promise<{ readonly claimedBy?: string } | undefined> {
  const [marked] = await catalog.write([
    {
      sql: `UPDATE databases SET claimed_by = coalesce(claimed_by, ?), state = 'ready', dump = NULL, loader = NULL
            WHERE uuid = ? AND state IN ('creating', 'ready') RETURNING claimed_by`,
      args: [claimant ?? null, uuid],
    },
  ]);
  const [row] = marked?.rows ?? [];
  if (row === undefined) return undefined;
  return row['claimed_by'] === null ? {} : { claimedBy: textOf(row, 'claimed_by') };
}

/** Marks a database as being deleted. False when it is protected, or gone. */
export async function markDeleting(catalog: CatalogConnection, uuid: DatabaseId): Promise<boolean> {
  const [, row] = await catalog.write([
    { sql: "UPDATE databases SET state = 'deleting' WHERE uuid = ? AND delete_protection = 0", args: [uuid] },
    { sql: "SELECT 1 FROM databases WHERE uuid = ? AND state = 'deleting'", args: [uuid] },
  ]);
  return row?.rows.length === 1;
}

/** Takes back that a database is being deleted, unless its group is. */
export async function unmarkDeleting(catalog: CatalogConnection, uuid: DatabaseId): Promise<void> {
  const sql = `UPDATE databases SET state = 'ready' WHERE uuid = ? AND state = 'deleting'
               AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.uuid = group_uuid AND g.state = 'deleting')`;
  await catalog.write([{ sql, args: [uuid] }]);
}

/** Sets what is given of a database's configuration. */
export async function configureDatabase(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  configuration: DatabaseConfiguration,
): Promise<void> {
  await catalog.write([
    {
      sql: 'UPDATE databases SET delete_protection = ? WHERE uuid = ?',
      args: [configuration.deleteProtection ? 1 : 0, uuid],
    },
    ...setBlocks(uuid, { reads: configuration.blockReads, writes: configuration.blockWrites }),
    ...setMaxBytes(uuid, configuration.maxBytes),
    ...setAllowedOrigins(uuid, configuration.allowedOrigins),
  ]);
}

/** The databases with these names or uuids, as far as the organization has them and they are ready. */
export async function databasesNamed(
  catalog: CatalogConnection,
  organization: string,
  namesOrUuids: readonly string[],
): Promise<DatabaseRecord[]> {
  const json = JSON.stringify(namesOrUuids);
  const { rows } = await catalog.read({
    sql: `${selectDatabases} WHERE d.organization = ? AND d.state = 'ready'
          AND (d.name IN (SELECT value FROM json_each(?)) OR d.uuid IN (SELECT value FROM json_each(?))) ORDER BY d.name`,
    args: [organization, json, json],
  });
  return rows.map(databaseFromRow);
}

/** Notes who holds the key of a database now. */
export async function setEncryption(
  catalog: CatalogConnection,
  uuid: DatabaseId,
  { keyId, encryptionCipher }: Pick<DatabaseRecord, 'keyId' | 'encryptionCipher'>,
): Promise<void> {
  await catalog.write([
    {
      sql: 'UPDATE databases SET key_id = ?, encryption_cipher = ? WHERE uuid = ?',
      args: [keyId ?? null, encryptionCipher ?? null, uuid],
    },
  ]);
}

/** Removes a row that is `creating`: the database will not be. Does nothing when it has another state or is gone. */
export async function removeCreating(catalog: CatalogConnection, uuid: DatabaseId): Promise<void> {
  await catalog.write([{ sql: "DELETE FROM databases WHERE uuid = ? AND state = 'creating'", args: [uuid] }]);
}

/** Removes a row that is `deleting` and remembers what it was, if it ever was anything. Does nothing when it has another state or is gone. */
export async function removeDeleted(catalog: CatalogConnection, uuid: DatabaseId, deletedAtMs: number): Promise<void> {
  await catalog.write([
    {
      sql: `INSERT INTO deleted_databases (uuid, organization, name, group_uuid, engine, parent_uuid, parent_name,
              encryption_cipher, address_organization, created_at_ms, deleted_at_ms, stored_bytes, stored_commit)
            SELECT uuid, organization, name, group_uuid, engine, parent_uuid, parent_name, encryption_cipher,
              address_organization, created_at_ms, ?, stored_bytes, stored_commit
            FROM databases WHERE uuid = ? AND state = 'deleting' AND NOT ${isGivenUp}
            ON CONFLICT (uuid) DO UPDATE SET name = excluded.name, deleted_at_ms = excluded.deleted_at_ms,
              stored_bytes = excluded.stored_bytes, stored_commit = excluded.stored_commit`,
      args: [deletedAtMs, uuid],
    },
    { sql: "DELETE FROM databases WHERE uuid = ? AND state = 'deleting'", args: [uuid] },
    { sql: 'DELETE FROM deleted_databases WHERE deleted_at_ms < ?', args: [deletedAtMs - rememberedMs] },
  ]);
}

/** Rows whose creation or deletion has begun and not ended. */
export async function pendingDatabases(catalog: CatalogConnection): Promise<DatabaseRecord[]> {
  const result = await catalog.read(`${selectDatabases} WHERE d.state <> 'ready'`);
  return result.rows.map(databaseFromRow);
}

/** All rows of a group, in whatever state. */
export async function databasesOfGroup(catalog: CatalogConnection, groupUuid: string): Promise<DatabaseRecord[]> {
  const result = await catalog.read({ sql: `${selectDatabases} WHERE d.group_uuid = ?`, args: [groupUuid] });
  return result.rows.map(databaseFromRow);
}

/** `ready` databases of the organization in the order of their names, at most `limit`, of names above `after`. */
export async function listReadyDatabases(
  catalog: CatalogConnection,
  query: {
    readonly organization: string;
    /** Only those of the group with this uuid. */
    readonly group?: string | undefined;
    /** Only branches of the database with this uuid. */
    readonly parent?: string | undefined;
    readonly after: string;
    readonly limit: number;
  },
): Promise<DatabaseRecord[]> {
  // Each condition has its index, in which the page is a range; see the migrations.
  const { organization, group, parent, after, limit } = query;
  const conditions = [
    ...(parent === undefined ? [] : [{ sql: 'd.parent_uuid = ?', arg: parent }]),
    ...(group === undefined ? [] : [{ sql: 'd.group_uuid = ?', arg: group }]),
    { sql: 'd.organization = ?', arg: organization },
    { sql: 'd.name > ?', arg: after },
  ];
  const where = conditions.map(({ sql }) => sql).join(' AND ');
  // One text instead of twenty values for each of a thousand rows, every one of which would be an object three times over.
  const result = await catalog.read({
    sql: `SELECT json_group_array(json(page.line)) AS lines FROM (
            SELECT json_array(${Object.values(columns).join(', ')}) AS line ${fromDatabases}
            WHERE ${where} AND d.state = 'ready' ORDER BY d.name LIMIT ?) page`,
    args: [...conditions.map(({ arg }) => arg), limit],
  });
  const [row] = result.rows;
  const lines = row === undefined ? [] : (JSON.parse(textOf(row, 'lines')) as Row[string][][]);
  const records = lines.map((line) =>
    databaseFromRow(
      Object.fromEntries(columnNames.map((name, place) => [name, line[place] ?? null])) as unknown as Row,
    ),
  );
  // The order in which rows are gathered is SQLite's own affair.
  return records.sort((one, other) => (one.name < other.name ? -1 : 1));
}

function firstRecord(rows: readonly Row[]): DatabaseRecord | undefined {
  return rows.map(databaseFromRow)[0];
}

function databaseFromRow(row: Row): DatabaseRecord {
  const claimedBy = row['claimed_by'];
  return {
    uuid: databaseId(textOf(row, 'uuid')),
    organization: textOf(row, 'organization'),
    name: textOf(row, 'name'),
    group: { uuid: textOf(row, 'group_uuid'), name: textOf(row, 'group_name') },
    engine: textOf(row, 'engine') as EngineName,
    state: textOf(row, 'state') as DatabaseState,
    ...(typeof claimedBy === 'string' ? { claimedBy } : {}),
    createdAtMs: integerOf(row, 'created_at_ms'),
    origin: textOf(row, 'origin') as DatabaseOrigin,
    ...(row['parent_uuid'] !== null && { parent: parentOf(row) }),
    ...(integerOf(row, 'awaits_file') === 1 && { awaitsFile: true }),
    ...(row['dump'] !== null && { dump: textOf(row, 'dump') }),
    ...(row['seed_time_ms'] !== null && { seedTimeMs: integerOf(row, 'seed_time_ms') }),
    ...(row['key_id'] !== null && { keyId: textOf(row, 'key_id') }),
    addressOrganization: textOf(row, 'address_organization'),
    configuration: {
      deleteProtection: integerOf(row, 'delete_protection') === 1,
      blockReads: integerOf(row, 'block_reads') === 1,
      blockWrites: integerOf(row, 'block_writes') === 1,
      ...(row['max_bytes'] !== null && { maxBytes: integerOf(row, 'max_bytes') }),
      allowedOrigins: allowedOrigins(row),
    },
    ...cipherOf(row),
  };
}

/** The cipher in a row that has one. */
export function cipherOf(row: Row): { readonly encryptionCipher?: CipherName } {
  const cipher = row['encryption_cipher'];
  return isCipherName(cipher) ? { encryptionCipher: cipher } : {};
}

/** The parent in a row that has one. */
export function parentOf(row: Row): ParentDatabase {
  return { uuid: databaseId(textOf(row, 'parent_uuid')), name: textOf(row, 'parent_name') };
}
