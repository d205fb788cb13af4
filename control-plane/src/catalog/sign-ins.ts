/** The `sign_ins` table: sign-ins that wait for the person to come back from the identity provider. */
import type { CatalogConnection } from './catalog-connection.js';
import { textOf } from './row-values.js';

/** How long a person may take. */
const lifetimeMs = 600_000;

export interface PendingSignIn {
  /** What the identity provider sends back; names the sign-in. */
  readonly state: string;
  /** Of PKCE; proves to the identity provider that who began is who ends. */
  readonly verifier: string;
  readonly nonce: string;
  /** SHA-256 of the cookie that only the browser that began has. */
  readonly browserDigest: string;
  /** Port of the CLI that waits on the person's machine; absent when the token is shown instead. */
  readonly returnPort?: number;
  /** What that CLI wants to have back. */
  readonly returnState?: string;
}

export async function insertSignIn(catalog: CatalogConnection, signIn: PendingSignIn, nowMs: number): Promise<void> {
  const { state, verifier, nonce, browserDigest, returnPort, returnState } = signIn;
  await catalog.write([
    { sql: 'DELETE FROM sign_ins WHERE created_at_ms < ?', args: [nowMs - lifetimeMs] },
    {
      sql: `INSERT INTO sign_ins (state, verifier, nonce, browser_digest, return_port, return_state, created_at_ms)
            VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      args: [state, verifier, nonce, browserDigest, returnPort ?? null, returnState ?? null, nowMs],
    },
  ]);
}

/** The sign-in that is to be ended now, if this browser began it; it cannot be taken twice. */
export async function takeSignIn(
  catalog: CatalogConnection,
  state: string,
  browserDigest: string,
  nowMs: number,
): Promise<PendingSignIn | undefined> {
  const { rows } = await catalog.read({
    sql: `SELECT verifier, nonce, return_port, return_state FROM sign_ins
          WHERE state = ? AND browser_digest = ? AND created_at_ms >= ?`,
    args: [state, browserDigest, nowMs - lifetimeMs],
  });
  const row = rows[0];
  if (row === undefined) return undefined;
  // Of two who read it at once, the identity provider lets one redeem the code.
  await catalog.write([{ sql: 'DELETE FROM sign_ins WHERE state = ?', args: [state] }]);
  const port = row['return_port'];
  const returnState = row['return_state'];
  return {
    state,
    verifier: textOf(row, 'verifier'),
    nonce: textOf(row, 'nonce'),
    browserDigest,
    ...(typeof port === 'number' && { returnPort: port }),
    ...(typeof returnState === 'string' && { returnState }),
  };
}
