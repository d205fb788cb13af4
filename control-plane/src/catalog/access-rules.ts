/**
 * The `access_rules` table: what data nodes are to be told of single databases and groups. Every change notes the shard
 * that has to be published; see access/access-rules-publisher.ts.
 */
import type { InStatement, Row } from '@libsql/client';
import {
  maxRevokedPerSubject,
  shardOf,
  type RegisteredIssuer,
  type SubjectRules,
} from '@turso-byoc/data-plane/auth/access-rules.js';
import type { TablePermission } from '@turso-byoc/data-plane/auth/table-permissions.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { CatalogConnection } from './catalog-connection.js';
import { integerOf, textOf } from './row-values.js';

/** A shard with changes that are not published, and the last of them. */
export interface UnpublishedShard {
  readonly shard: string;
  readonly change: number;
}

/** Notes that the shards of these subjects have to be published. */
function noteShards(subjects: readonly string[]): InStatement {
  return {
    sql: `INSERT INTO unpublished_shards (shard, change) SELECT DISTINCT value, 1 FROM json_each(?) WHERE true
          ON CONFLICT (shard) DO UPDATE SET change = change + 1`,
    args: [JSON.stringify(subjects.map(shardOf))],
  };
}

/** Begins the next generation of tokens of these databases or groups. May run twice: then one generation is skipped. */
export function nextGeneration(subjects: readonly string[]): InStatement[] {
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard, generation)
            SELECT value, substr(value, 1, 2), 1 FROM json_each(?) WHERE true
            ON CONFLICT (subject) DO UPDATE SET generation = generation + 1`,
      args: [JSON.stringify(subjects)],
    },
    noteShards(subjects),
  ];
}

/** The groups of these, or of this organization, get the rules that follow from its issuers. */
export function noteIssuers(groups: { readonly organization: string } | { readonly uuid: string }): InStatement[] {
  const [condition, value] = 'uuid' in groups ? ['uuid', groups.uuid] : ['organization', groups.organization];
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard) SELECT uuid, substr(uuid, 1, 2) FROM groups
            WHERE ${condition} = ? AND EXISTS (SELECT 1 FROM issuers i WHERE i.organization = groups.organization)
            ON CONFLICT DO NOTHING`,
      args: [value],
    },
    {
      sql: `INSERT INTO unpublished_shards (shard, change) SELECT DISTINCT substr(uuid, 1, 2), 1 FROM groups
            WHERE ${condition} = ? AND EXISTS (SELECT 1 FROM access_rules r WHERE r.subject = groups.uuid)
            ON CONFLICT (shard) DO UPDATE SET change = change + 1`,
      args: [value],
    },
  ];
}

/** Where requests may come from; an empty list allows any place. */
export interface AllowedOrigins {
  readonly ips: readonly string[];
  readonly vpcEndpoints: readonly string[];
}

/** Sets where requests for a database, or for the databases of a group, may come from. */
export function setAllowedOrigins(subject: string, { ips, vpcEndpoints }: AllowedOrigins): InStatement[] {
  const listed = (entries: readonly string[]): string | null => (entries.length === 0 ? null : JSON.stringify(entries));
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard, allowed_ips, allowed_vpc_endpoints) VALUES (?, ?, ?, ?)
            ON CONFLICT (subject) DO UPDATE SET allowed_ips = excluded.allowed_ips,
              allowed_vpc_endpoints = excluded.allowed_vpc_endpoints`,
      args: [subject, shardOf(subject), listed(ips), listed(vpcEndpoints)],
    },
    noteShards([subject]),
  ];
}

/** What a row that was joined with `access_rules` says of where requests may come from. */
export function allowedOrigins(row: Row): AllowedOrigins {
  const parsed = (column: string): readonly string[] =>
    row[column] === null ? [] : (JSON.parse(textOf(row, column)) as string[]);
  return { ips: parsed('allowed_ips'), vpcEndpoints: parsed('allowed_vpc_endpoints') };
}

/** Where requests for the databases of a group may come from. */
export async function allowedOriginsOf(catalog: CatalogConnection, subject: string): Promise<AllowedOrigins> {
  const { rows } = await catalog.read({
    sql: 'SELECT allowed_ips, allowed_vpc_endpoints FROM access_rules WHERE subject = ?',
    args: [subject],
  });
  return rows[0] === undefined ? { ips: [], vpcEndpoints: [] } : allowedOrigins(rows[0]);
}

/**
 * Gives a branch that is there what limits reads of its parent: where requests may come from, and the block of reads. Rules
 * that the branch has already stay. May run twice.
 */
export function inheritReadRules(branch: string, parent: string): InStatement[] {
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard, block_reads, allowed_ips, allowed_vpc_endpoints)
            SELECT d.uuid, ?, p.block_reads, p.allowed_ips, p.allowed_vpc_endpoints
            FROM databases d JOIN access_rules p ON p.subject = ?
            WHERE d.uuid = ? AND coalesce(nullif(p.block_reads, 0), p.allowed_ips, p.allowed_vpc_endpoints) IS NOT NULL
            ON CONFLICT DO NOTHING`,
      args: [shardOf(branch), parent, branch],
    },
    {
      sql: `INSERT INTO unpublished_shards (shard, change) SELECT shard, 1 FROM access_rules WHERE subject = ?
            ON CONFLICT (shard) DO UPDATE SET change = change + 1`,
      args: [branch],
    },
  ];
}

/** Sets how large a database may become; undefined: as large as the data nodes let it. */
export function setMaxBytes(uuid: string, maxBytes: number | undefined): InStatement[] {
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard, max_bytes) VALUES (?, ?, ?)
            ON CONFLICT (subject) DO UPDATE SET max_bytes = excluded.max_bytes`,
      args: [uuid, shardOf(uuid), maxBytes ?? null],
    },
    noteShards([uuid]),
  ];
}

/** Sets what is blocked of a database. */
export function setBlocks(uuid: string, blocks: { readonly reads: boolean; readonly writes: boolean }): InStatement[] {
  const [reads, writes] = [blocks.reads ? 1 : 0, blocks.writes ? 1 : 0];
  return [
    {
      sql: `INSERT INTO access_rules (subject, shard, block_reads, block_writes) VALUES (?, ?, ?, ?)
            ON CONFLICT (subject) DO UPDATE SET block_reads = excluded.block_reads, block_writes = excluded.block_writes`,
      args: [uuid, shardOf(uuid), reads, writes],
    },
    noteShards([uuid]),
  ];
}

/** The present generations of the tokens of a database, and of a group. */
export async function generationsOf(
  catalog: CatalogConnection,
  ...subjects: readonly string[]
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await catalog.read({
    sql: 'SELECT subject, generation FROM access_rules WHERE subject IN (SELECT value FROM json_each(?))',
    args: [JSON.stringify(subjects)],
  });
  return new Map(rows.map((row) => [textOf(row, 'subject'), integerOf(row, 'generation')]));
}

/** A database token that was minted and is in force. */
export interface IssuedToken {
  readonly id: string;
  readonly access: string;
  readonly mintedBy: string;
  readonly mintedAtMs: number;
  readonly expiresAtUnixSeconds?: number;
  readonly permissions?: readonly TablePermission[];
}

const isInForce = `subject = ? AND revoked_at_ms IS NULL AND (expires_at_unix_seconds IS NULL OR expires_at_unix_seconds > ?)
  AND generation >= coalesce((SELECT generation FROM access_rules r WHERE r.subject = minted_tokens.subject), 0)`;

/** The tokens of a database or group that are in force, the last minted first; at most `limit`. */
export async function tokensInForce(
  catalog: CatalogConnection,
  subject: string,
  nowMs: number,
  limit: number,
): Promise<IssuedToken[]> {
  const { rows } = await catalog.read({
    sql: `SELECT jti, access, minted_by, minted_at_ms, expires_at_unix_seconds, permissions FROM minted_tokens
          WHERE ${isInForce} ORDER BY minted_at_ms DESC, jti LIMIT ?`,
    args: [subject, nowMs / 1000, limit],
  });
  return rows.map((row) => ({
    id: textOf(row, 'jti'),
    access: textOf(row, 'access'),
    mintedBy: textOf(row, 'minted_by'),
    mintedAtMs: integerOf(row, 'minted_at_ms'),
    ...(row['expires_at_unix_seconds'] !== null && {
      expiresAtUnixSeconds: integerOf(row, 'expires_at_unix_seconds'),
    }),
    ...(row['permissions'] !== null && {
      permissions: JSON.parse(textOf(row, 'permissions')) as readonly TablePermission[],
    }),
  }));
}

/** Revokes one token of a database or group. Whether there was such a token in force. Throws `REVOCATIONS_FULL`. */
export async function revokeMintedToken(
  catalog: CatalogConnection,
  subject: string,
  jti: string,
  nowMs: number,
): Promise<boolean> {
  const { rows } = await catalog.read({
    sql: `SELECT (SELECT count(*) FROM minted_tokens WHERE subject = ? AND revoked_at_ms IS NOT NULL
                  AND (expires_at_unix_seconds IS NULL OR expires_at_unix_seconds > ?)) AS revoked
          FROM minted_tokens WHERE jti = ? AND ${isInForce}`,
    args: [subject, nowMs / 1000, jti, subject, nowMs / 1000],
  });
  const row = rows[0];
  if (row === undefined) return false;
  if (integerOf(row, 'revoked') >= maxRevokedPerSubject) {
    throw new ControlPlaneError('REVOCATIONS_FULL', `${maxRevokedPerSubject} tokens are revoked one by one`);
  }
  await catalog.write([
    {
      sql: `INSERT INTO access_rules (subject, shard) VALUES (?, ?) ON CONFLICT DO NOTHING`,
      args: [subject, shardOf(subject)],
    },
    {
      sql: 'UPDATE minted_tokens SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE jti = ? AND subject = ?',
      args: [nowMs, jti, subject],
    },
    noteShards([subject]),
  ]);
  return true;
}

/**
 * Puts rules that were published into the catalog: of a subject that it does not know all of them, of others only a later
 * generation and revoked tokens that it does not know.
 */
export async function insertPublishedRules(
  catalog: CatalogConnection,
  subjects: ReadonlyMap<string, SubjectRules>,
  nowMs: number,
): Promise<void> {
  const json = JSON.stringify([...subjects].map(([subject, rules]) => ({ subject, ...rules })));
  await catalog.write([
    {
      sql: `INSERT INTO access_rules (subject, shard, generation, block_reads, block_writes, max_bytes, allowed_ips,
              allowed_vpc_endpoints)
            SELECT s.value ->> 'subject', substr(s.value ->> 'subject', 1, 2), coalesce(s.value ->> 'generation', 0),
              coalesce(s.value ->> 'blockReads', 0), coalesce(s.value ->> 'blockWrites', 0), s.value ->> 'maxBytes',
              s.value ->> 'allowedIps', s.value ->> 'allowedVpcEndpoints'
            FROM json_each(?) s WHERE true
            ON CONFLICT (subject) DO UPDATE SET generation = max(generation, excluded.generation)`,
      args: [json],
    },
    {
      sql: `INSERT INTO minted_tokens (jti, kind, subject, access, minted_by, minted_at_ms, revoked_at_ms, generation)
            SELECT r.value, 'unknown', s.value ->> 'subject', 'unknown', 'unknown', 0, ?,
              coalesce(s.value ->> 'generation', 0)
            FROM json_each(?) s, json_each(s.value, '$.revoked') r WHERE true ON CONFLICT DO NOTHING`,
      args: [nowMs, json],
    },
  ]);
}

export async function unpublishedShards(catalog: CatalogConnection): Promise<UnpublishedShard[]> {
  const { rows } = await catalog.read('SELECT shard, change FROM unpublished_shards ORDER BY shard');
  return rows.map((row) => ({ shard: textOf(row, 'shard'), change: integerOf(row, 'change') }));
}

/** Notes that these changes are published; later ones stay noted. */
export async function publishedShards(catalog: CatalogConnection, changes: readonly UnpublishedShard[]): Promise<void> {
  await catalog.write([
    {
      sql: `DELETE FROM unpublished_shards WHERE EXISTS (SELECT 1 FROM json_each(?) c
              WHERE c.value ->> 'shard' = unpublished_shards.shard AND c.value ->> 'change' = unpublished_shards.change)`,
      args: [JSON.stringify(changes)],
    },
  ]);
}

/** What is to be published of a shard: nothing of a token that has expired or was rotated away. */
export async function rulesOfShard(
  catalog: CatalogConnection,
  shard: string,
  nowMs: number,
): Promise<Record<string, SubjectRules>> {
  const { rows } = await catalog.read({
    sql: `SELECT r.subject, r.generation, r.block_reads, r.block_writes, r.max_bytes, r.allowed_ips, r.allowed_vpc_endpoints,
            (SELECT json_group_array(t.jti) FROM minted_tokens t WHERE t.subject = r.subject
               AND t.revoked_at_ms IS NOT NULL AND t.generation >= r.generation
               AND (t.expires_at_unix_seconds IS NULL OR t.expires_at_unix_seconds > ?)) AS revoked,
            (SELECT json_group_array(json_patch('{}', json_object('url', i.url, 'issuer', i.issuer, 'audience', i.audience)))
               FROM issuers i JOIN groups g ON g.organization = i.organization WHERE g.uuid = r.subject) AS issuers
          FROM access_rules r WHERE r.shard = ? ORDER BY r.subject`,
    args: [nowMs / 1000, shard],
  });
  const subjects: Record<string, SubjectRules> = {};
  for (const row of rows) {
    const generation = integerOf(row, 'generation');
    const revoked = JSON.parse(textOf(row, 'revoked')) as string[];
    const { ips, vpcEndpoints } = allowedOrigins(row);
    const issuers = JSON.parse(textOf(row, 'issuers')) as RegisteredIssuer[];
    subjects[textOf(row, 'subject')] = {
      ...(generation > 0 && { generation }),
      ...(revoked.length > 0 && { revoked }),
      ...(integerOf(row, 'block_reads') === 1 && { blockReads: true as const }),
      ...(integerOf(row, 'block_writes') === 1 && { blockWrites: true as const }),
      ...(row['max_bytes'] !== null && { maxBytes: integerOf(row, 'max_bytes') }),
      ...(ips.length > 0 && { allowedIps: ips }),
      ...(vpcEndpoints.length > 0 && { allowedVpcEndpoints: vpcEndpoints }),
      ...(issuers.length > 0 && { issuers }),
    };
  }
  return subjects;
}
