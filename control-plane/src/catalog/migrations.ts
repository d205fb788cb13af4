import { randomUUID } from 'node:crypto';
import type { InStatement } from '@libsql/client';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { errorCode } from '../errors/error-code.js';
import type { CatalogConnection } from './catalog-connection.js';

export interface MigrationContext {
  readonly organization: string;
  readonly primaryRegion: string;
  readonly nowMs: number;
}

/** Migration n (counted from 1) takes the catalog from version n - 1 to n. A released one never changes. */
const migrations: readonly ((context: MigrationContext) => InStatement[])[] = [
  (context) => [
    `CREATE TABLE groups (
       uuid TEXT PRIMARY KEY,
       organization TEXT NOT NULL,
       name TEXT NOT NULL,
       location TEXT NOT NULL,
       state TEXT NOT NULL CHECK (state IN ('ready', 'deleting')),
       created_at_ms INTEGER NOT NULL,
       UNIQUE (organization, name)
     )`,
    `CREATE TABLE databases (
       uuid TEXT PRIMARY KEY,
       organization TEXT NOT NULL,
       name TEXT NOT NULL,
       group_uuid TEXT NOT NULL REFERENCES groups (uuid),
       engine TEXT NOT NULL CHECK (engine IN ('libsql', 'tursodb')),
       state TEXT NOT NULL CHECK (state IN ('creating', 'ready', 'deleting')),
       claimed_by TEXT,
       created_at_ms INTEGER NOT NULL,
       UNIQUE (organization, name)
     )`,
    'CREATE INDEX databases_by_group ON databases (group_uuid)',
    "CREATE INDEX databases_pending ON databases (state) WHERE state <> 'ready'",
    `CREATE TABLE api_tokens (
       id TEXT PRIMARY KEY,
       name TEXT NOT NULL UNIQUE,
       created_at_ms INTEGER NOT NULL
     )`,
    `CREATE TABLE minted_tokens (
       jti TEXT PRIMARY KEY,
       kind TEXT NOT NULL,
       subject TEXT NOT NULL,
       access TEXT NOT NULL,
       minted_by TEXT NOT NULL,
       minted_at_ms INTEGER NOT NULL,
       expires_at_unix_seconds INTEGER,
       revoked_at_ms INTEGER
     )`,
    {
      sql: "INSERT INTO groups (uuid, organization, name, location, state, created_at_ms) VALUES (?, ?, ?, ?, 'ready', ?)",
      args: [randomUUID(), context.organization, 'default', context.primaryRegion, context.nowMs],
    },
  ],
  () => [
    // What a row that is `creating` is made from: nothing, another database, or its own past.
    "ALTER TABLE databases ADD COLUMN origin TEXT NOT NULL DEFAULT 'new' CHECK (origin IN ('new', 'branch', 'undelete'))",
    'ALTER TABLE databases ADD COLUMN parent_uuid TEXT',
    'ALTER TABLE databases ADD COLUMN parent_name TEXT',
    'ALTER TABLE databases ADD COLUMN seed_time_ms INTEGER',
    'CREATE INDEX databases_by_parent ON databases (parent_uuid) WHERE parent_uuid IS NOT NULL',
    `CREATE TABLE deleted_databases (
       uuid TEXT PRIMARY KEY,
       organization TEXT NOT NULL,
       name TEXT NOT NULL,
       group_uuid TEXT NOT NULL,
       engine TEXT NOT NULL,
       parent_uuid TEXT,
       parent_name TEXT,
       created_at_ms INTEGER NOT NULL,
       deleted_at_ms INTEGER NOT NULL
     )`,
    'CREATE INDEX deleted_databases_by_name ON deleted_databases (organization, name)',
  ],
  () => [
    // The key of the key service for new databases of a group, and what a row that is `creating` is to be wrapped by.
    'ALTER TABLE groups ADD COLUMN key_id TEXT',
    'ALTER TABLE databases ADD COLUMN key_id TEXT',
  ],
  () => [
    // The cipher that was declared where a client holds the key; the key itself is nowhere.
    'ALTER TABLE databases ADD COLUMN encryption_cipher TEXT',
    'ALTER TABLE deleted_databases ADD COLUMN encryption_cipher TEXT',
  ],
];

/**
 * Brings the catalog to the version of this release. Each migration is one transaction that begins by claiming its
 * version number, so of several replicas that migrate at once one does the work and the others go on after it.
 * Throws `CATALOG_TOO_NEW`.
 */
export async function migrateCatalog(
  catalog: CatalogConnection,
  clock: Clock,
  settings: { readonly organization: string; readonly primaryRegion: string },
): Promise<void> {
  await catalog.write([
    'CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at_ms INTEGER NOT NULL)',
  ]);
  for (;;) {
    const version = await currentVersion(catalog);
    if (version > migrations.length) {
      throw new ControlPlaneError(
        'CATALOG_TOO_NEW',
        `the catalog has schema version ${version}, this release knows ${migrations.length}`,
      );
    }
    const migration = migrations[version];
    if (migration === undefined) return;
    const nowMs = clock.now();
    try {
      await catalog.write([
        { sql: 'INSERT INTO schema_version (version, applied_at_ms) VALUES (?, ?)', args: [version + 1, nowMs] },
        ...migration({ ...settings, nowMs }),
      ]);
    } catch (error) {
      // Claimed by another replica, or by an attempt of ours whose answer was lost.
      if (!isConstraintError(error) || (await currentVersion(catalog)) === version) throw error;
    }
  }
}

async function currentVersion(catalog: CatalogConnection): Promise<number> {
  const result = await catalog.read('SELECT coalesce(max(version), 0) AS version FROM schema_version');
  return Number(result.rows[0]?.['version']);
}

function isConstraintError(error: unknown): boolean {
  return errorCode(error)?.startsWith('SQLITE_CONSTRAINT') === true;
}
