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
  (context) => [
    // People, organizations, and who is what in which.
    `CREATE TABLE organizations (
       uuid TEXT PRIMARY KEY,
       slug TEXT NOT NULL UNIQUE,
       name TEXT NOT NULL,
       type TEXT NOT NULL CHECK (type IN ('personal', 'team')),
       require_mfa INTEGER NOT NULL DEFAULT 0,
       created_at_ms INTEGER NOT NULL
     )`,
    {
      sql: "INSERT INTO organizations (uuid, slug, name, type, created_at_ms) VALUES (?, ?, ?, 'personal', ?)",
      args: [randomUUID(), context.organization, context.organization, context.nowMs],
    },
    `CREATE TABLE users (
       uuid TEXT PRIMARY KEY,
       username TEXT NOT NULL UNIQUE,
       email TEXT NOT NULL,
       name TEXT NOT NULL,
       subject TEXT UNIQUE,
       is_operator INTEGER NOT NULL DEFAULT 0,
       created_at_ms INTEGER NOT NULL
     )`,
    'CREATE INDEX users_by_email ON users (email)',
    `CREATE TABLE members (
       organization TEXT NOT NULL,
       user_uuid TEXT NOT NULL REFERENCES users (uuid),
       role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
       added_at_ms INTEGER NOT NULL,
       PRIMARY KEY (organization, user_uuid)
     )`,
    'CREATE INDEX members_by_user ON members (user_uuid)',
    `CREATE TABLE invites (
       id INTEGER PRIMARY KEY,
       organization TEXT NOT NULL,
       email TEXT NOT NULL,
       role TEXT NOT NULL,
       token_digest TEXT NOT NULL,
       created_at_ms INTEGER NOT NULL,
       UNIQUE (organization, email)
     )`,
    'CREATE INDEX invites_by_email ON invites (email)',
    'CREATE INDEX invites_by_token ON invites (token_digest)',
    'DROP TABLE api_tokens',
    `CREATE TABLE api_tokens (
       id TEXT PRIMARY KEY,
       user_uuid TEXT NOT NULL REFERENCES users (uuid),
       name TEXT NOT NULL,
       organization TEXT,
       group_uuid TEXT,
       scopes TEXT,
       is_session INTEGER NOT NULL DEFAULT 0,
       created_at_ms INTEGER NOT NULL,
       UNIQUE (user_uuid, name)
     )`,
    'CREATE INDEX api_tokens_by_organization ON api_tokens (organization) WHERE organization IS NOT NULL',
    // One row once the bootstrap token has made the first administrator.
    'CREATE TABLE bootstrap (id INTEGER PRIMARY KEY CHECK (id = 1), user_uuid TEXT NOT NULL, used_at_ms INTEGER NOT NULL)',
    // What a database and a group are set to.
    'ALTER TABLE groups ADD COLUMN delete_protection INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE databases ADD COLUMN delete_protection INTEGER NOT NULL DEFAULT 0',
    'ALTER TABLE minted_tokens ADD COLUMN generation INTEGER NOT NULL DEFAULT 0',
    'CREATE INDEX minted_tokens_by_subject ON minted_tokens (subject, minted_at_ms)',
    // The organization in a database's host name: the one it was created in, wherever its group goes.
    'ALTER TABLE databases ADD COLUMN address_organization TEXT',
    'UPDATE databases SET address_organization = organization',
    'ALTER TABLE deleted_databases ADD COLUMN address_organization TEXT',
    'UPDATE deleted_databases SET address_organization = organization',
    // What data nodes are told of a database or a group: tokens carry the generation that they were minted in, a
    // rotation makes the next one. `shard` is the first byte of the uuid.
    `CREATE TABLE access_rules (
       subject TEXT PRIMARY KEY,
       shard TEXT NOT NULL,
       generation INTEGER NOT NULL DEFAULT 0,
       block_reads INTEGER NOT NULL DEFAULT 0,
       block_writes INTEGER NOT NULL DEFAULT 0
     )`,
    'CREATE INDEX access_rules_by_shard ON access_rules (shard)',
    'CREATE TABLE unpublished_shards (shard TEXT PRIMARY KEY, change INTEGER NOT NULL)',
    // Keyset paging of a group's databases and of a database's branches.
    'DROP INDEX databases_by_group',
    'CREATE INDEX databases_by_group ON databases (group_uuid, name)',
    'DROP INDEX databases_by_parent',
    'CREATE INDEX databases_by_parent ON databases (parent_uuid, name) WHERE parent_uuid IS NOT NULL',
    // How many there are, so that a quota costs a lookup and not a scan.
    'CREATE TABLE counts (scope TEXT NOT NULL, subject TEXT NOT NULL, databases INTEGER NOT NULL, PRIMARY KEY (scope, subject))',
    `INSERT INTO counts (scope, subject, databases)
       SELECT 'organization', organization, count(*) FROM databases GROUP BY organization
       UNION ALL SELECT 'group', group_uuid, count(*) FROM databases GROUP BY group_uuid`,
    ...(['INSERT', 'DELETE'] as const).map((event) => {
      const [row, change] = event === 'INSERT' ? ['NEW', 1] : ['OLD', -1];
      return `CREATE TRIGGER databases_counted_at_${event.toLowerCase()} AFTER ${event} ON databases BEGIN
        INSERT INTO counts (scope, subject, databases) VALUES ('organization', ${row}.organization, ${change})
          ON CONFLICT (scope, subject) DO UPDATE SET databases = databases + ${change};
        INSERT INTO counts (scope, subject, databases) VALUES ('group', ${row}.group_uuid, ${change})
          ON CONFLICT (scope, subject) DO UPDATE SET databases = databases + ${change};
      END`;
    }),
    `CREATE TABLE limits (
       scope TEXT NOT NULL CHECK (scope IN ('organization', 'group', 'token')),
       subject TEXT NOT NULL,
       name TEXT NOT NULL,
       value INTEGER NOT NULL,
       PRIMARY KEY (scope, subject, name)
     )`,
    // The audit log: what waits to be chained, and the chain.
    `CREATE TABLE audit_pending (
       id TEXT PRIMARY KEY,
       at_ms INTEGER NOT NULL,
       entry TEXT NOT NULL
     )`,
    `CREATE TABLE audit_log (
       sequence INTEGER PRIMARY KEY,
       id TEXT NOT NULL UNIQUE,
       organization TEXT NOT NULL,
       entry TEXT NOT NULL,
       hash TEXT NOT NULL
     )`,
    'CREATE INDEX audit_log_by_organization ON audit_log (organization, sequence)',
    'CREATE TABLE audit_export (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL)',
    'INSERT INTO audit_export (id, sequence) VALUES (1, 0)',
    // Work over the databases of a group, and where it stands.
    `CREATE TABLE operations (
       id TEXT PRIMARY KEY,
       organization TEXT NOT NULL,
       group_uuid TEXT NOT NULL,
       statements TEXT NOT NULL,
       databases TEXT,
       max_failure_rate REAL NOT NULL,
       state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'failed', 'done')),
       reason TEXT,
       cursor TEXT NOT NULL DEFAULT '',
       total INTEGER NOT NULL,
       succeeded INTEGER NOT NULL DEFAULT 0,
       failed INTEGER NOT NULL DEFAULT 0,
       started_by TEXT NOT NULL,
       created_at_ms INTEGER NOT NULL,
       runner TEXT,
       runner_until_ms INTEGER NOT NULL DEFAULT 0
     )`,
    'CREATE INDEX operations_by_group ON operations (group_uuid, created_at_ms)',
    "CREATE INDEX operations_running ON operations (state) WHERE state = 'running'",
    `CREATE TABLE operation_failures (
       operation TEXT NOT NULL,
       database TEXT NOT NULL,
       error TEXT NOT NULL,
       PRIMARY KEY (operation, database)
     )`,
    // Sign-ins that wait for the person to come back from the identity provider.
    `CREATE TABLE sign_ins (
       state TEXT PRIMARY KEY,
       verifier TEXT NOT NULL,
       nonce TEXT NOT NULL,
       browser_digest TEXT NOT NULL,
       return_port INTEGER,
       return_state TEXT,
       created_at_ms INTEGER NOT NULL
     )`,
  ],
  () => [
    // The cipher that was declared where a client holds the key; the key itself is nowhere.
    'ALTER TABLE databases ADD COLUMN encryption_cipher TEXT',
    'ALTER TABLE deleted_databases ADD COLUMN encryption_cipher TEXT',
  ],
  () => [
    // What a token permits, table by table, where it is limited.
    'ALTER TABLE minted_tokens ADD COLUMN permissions TEXT',
  ],
  () => [
    // How large a database may become, and where requests for it, or for a group's databases, may come from: JSON lists.
    'ALTER TABLE access_rules ADD COLUMN max_bytes INTEGER',
    'ALTER TABLE access_rules ADD COLUMN allowed_ips TEXT',
    'ALTER TABLE access_rules ADD COLUMN allowed_vpc_endpoints TEXT',
  ],
  () => [
    // Key sets outside the deployment whose tokens open the databases of an organization.
    `CREATE TABLE issuers (
       organization TEXT NOT NULL,
       name TEXT NOT NULL,
       url TEXT NOT NULL,
       issuer TEXT,
       audience TEXT,
       PRIMARY KEY (organization, name)
     )`,
  ],
  () => [
    // Created for a file that is uploaded to the data plane.
    'ALTER TABLE databases ADD COLUMN awaits_file INTEGER NOT NULL DEFAULT 0',
  ],
  () => [
    // What databases, and those of an organization together, used on a day (days since 1970, UTC).
    `CREATE TABLE usage (
       scope TEXT NOT NULL CHECK (scope IN ('database', 'organization')),
       subject TEXT NOT NULL,
       day INTEGER NOT NULL,
       rows_read INTEGER NOT NULL,
       rows_written INTEGER NOT NULL,
       bytes_synced INTEGER NOT NULL,
       queries INTEGER NOT NULL,
       PRIMARY KEY (scope, subject, day)
     ) WITHOUT ROWID`,
    'CREATE INDEX usage_by_day ON usage (day)',
    // The last batch of each data node's epoch that is in it: no batch is added twice.
    'CREATE TABLE usage_sources (epoch TEXT PRIMARY KEY, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID',
  ],
  () => [
    // How large databases are, as far as data nodes told, after which commit; and the sums, kept as the numbers of databases are.
    ...['databases', 'deleted_databases'].flatMap((table) => [
      `ALTER TABLE ${table} ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0`,
      `ALTER TABLE ${table} ADD COLUMN stored_commit INTEGER NOT NULL DEFAULT -1`,
    ]),
    'ALTER TABLE counts ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0',
    ...(['INSERT', 'DELETE'] as const).flatMap((event) => {
      const [row, sign] = event === 'INSERT' ? ['NEW', ''] : ['OLD', '-'];
      const name = `databases_counted_at_${event.toLowerCase()}`;
      return [
        `DROP TRIGGER ${name}`,
        `CREATE TRIGGER ${name} AFTER ${event} ON databases BEGIN
          INSERT INTO counts (scope, subject, databases, stored_bytes)
            VALUES ('organization', ${row}.organization, ${sign}1, ${sign}${row}.stored_bytes),
                   ('group', ${row}.group_uuid, ${sign}1, ${sign}${row}.stored_bytes)
            ON CONFLICT (scope, subject) DO UPDATE SET databases = databases + excluded.databases,
              stored_bytes = stored_bytes + excluded.stored_bytes;
        END`,
      ];
    }),
    `CREATE TRIGGER databases_sized AFTER UPDATE OF stored_bytes ON databases WHEN NEW.stored_bytes <> OLD.stored_bytes BEGIN
       UPDATE counts SET stored_bytes = stored_bytes + NEW.stored_bytes - OLD.stored_bytes
         WHERE (scope = 'organization' AND subject = NEW.organization) OR (scope = 'group' AND subject = NEW.group_uuid);
     END`,
  ],
  () => [
    // The dump that a database is to begin as, until it has; and the request that has it loaded, up to when unless it says more.
    'ALTER TABLE databases ADD COLUMN dump TEXT',
    'ALTER TABLE databases ADD COLUMN loader TEXT',
    'ALTER TABLE databases ADD COLUMN loader_until_ms INTEGER NOT NULL DEFAULT 0',
  ],
  () => [
    // Slugs of organizations that are gone, for ever: what is left of them is found by the slug.
    'CREATE TABLE deleted_organizations (slug TEXT PRIMARY KEY, deleted_at_ms INTEGER NOT NULL) WITHOUT ROWID',
    `INSERT INTO deleted_organizations (slug, deleted_at_ms)
       SELECT organization, max(deleted_at_ms) FROM deleted_databases
       WHERE organization NOT IN (SELECT slug FROM organizations) GROUP BY organization`,
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
