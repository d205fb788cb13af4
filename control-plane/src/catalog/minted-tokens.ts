import type { InStatement } from '@libsql/client';
import type { MintedToken } from '../auth/token-minter.js';

/** The statement that records a token in `minted_tokens`: who made it, for what, when, until when; never the token. */
export function mintedTokenRecord(token: MintedToken): InStatement {
  return {
    sql: `INSERT INTO minted_tokens (jti, kind, subject, access, minted_by, minted_at_ms, expires_at_unix_seconds,
            generation, permissions)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (jti) DO NOTHING`,
    args: [
      token.jti,
      token.kind,
      token.subject,
      token.access,
      token.mintedBy,
      token.mintedAtMs,
      token.expiresAtUnixSeconds ?? null,
      token.generation ?? 0,
      token.permissions === undefined ? null : JSON.stringify(token.permissions),
    ],
  };
}
