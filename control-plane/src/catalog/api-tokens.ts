import type { MintedToken } from '../auth/token-minter.js';
import type { CatalogConnection } from './catalog-connection.js';
import { mintedTokenRecord } from './minted-tokens.js';
import { integerOf, textOf } from './row-values.js';

export interface ApiTokenRecord {
  /** The token's `jti`. */
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
}

/** The platform tokens that are in force, oldest first. */
export async function listApiTokens(catalog: CatalogConnection): Promise<ApiTokenRecord[]> {
  const result = await catalog.read('SELECT id, name, created_at_ms FROM api_tokens ORDER BY created_at_ms, name');
  return result.rows.map((row) => ({
    id: textOf(row, 'id'),
    name: textOf(row, 'name'),
    createdAtMs: integerOf(row, 'created_at_ms'),
  }));
}

/** The name of a platform token that is in force, or undefined. */
export async function findApiTokenName(catalog: CatalogConnection, id: string): Promise<string | undefined> {
  const result = await catalog.read({ sql: 'SELECT name FROM api_tokens WHERE id = ?', args: [id] });
  const row = result.rows[0];
  return row === undefined ? undefined : textOf(row, 'name');
}

/** Puts a platform token in force under its subject as name and records it; false when the name is taken. */
export async function insertApiToken(catalog: CatalogConnection, token: MintedToken): Promise<boolean> {
  const [, , holder] = await catalog.write([
    {
      sql: 'INSERT INTO api_tokens (id, name, created_at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      args: [token.jti, token.subject, token.mintedAtMs],
    },
    mintedTokenRecord(token),
    { sql: 'SELECT id FROM api_tokens WHERE name = ?', args: [token.subject] },
  ]);
  return holder?.rows[0]?.['id'] === token.jti;
}

/** Takes the platform token with this id out of force. */
export async function revokeApiToken(catalog: CatalogConnection, id: string, nowMs: number): Promise<void> {
  await catalog.write([
    { sql: 'UPDATE minted_tokens SET revoked_at_ms = coalesce(revoked_at_ms, ?) WHERE jti = ?', args: [nowMs, id] },
    { sql: 'DELETE FROM api_tokens WHERE id = ?', args: [id] },
  ]);
}
