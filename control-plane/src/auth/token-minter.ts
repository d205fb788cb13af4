import { randomUUID } from 'node:crypto';
import {
  databaseTokenAudience,
  platformTokenAudience,
  type DatabaseTokenClaims,
} from '@turso-byoc/data-plane/auth/claims.js';
import type { TablePermission } from '@turso-byoc/data-plane/auth/table-permissions.js';
import type { Clock } from '../clock.js';
import type { TokenSigner } from './token-signer.js';

export type TokenAccess = DatabaseTokenClaims['a'];

/** A token and what the catalog records of it; the record never holds `jwt`. */
export interface MintedToken {
  readonly jwt: string;
  readonly jti: string;
  readonly kind: 'database' | 'group' | 'platform';
  /** UUID of the database or group, or the name of the platform token. */
  readonly subject: string;
  readonly access: TokenAccess;
  /** Of a database or group: all that is permitted, table by table. */
  readonly permissions?: readonly TablePermission[];
  /** Id of the platform token that asked for it, or the part of the system that minted it for itself. */
  readonly mintedBy: string;
  readonly mintedAtMs: number;
  readonly expiresAtUnixSeconds?: number;
  /** Of the credentials of the database or group. @default 0 */
  readonly generation?: number;
}

interface TokenRequest {
  readonly kind: MintedToken['kind'];
  readonly subject: string;
  readonly access: TokenAccess;
  readonly permissions?: readonly TablePermission[];
  readonly mintedBy: string;
  /** Seconds from now; absent = never expires. */
  readonly lifetimeSeconds?: number | undefined;
  /** Present generation of the credentials of the database or group. @default 0 */
  readonly generation?: number;
  /** The same of the group of a database. @default 0 */
  readonly groupGeneration?: number;
}

/** Makes tokens. Whoever asks records them before handing them out. */
export class TokenMinter {
  constructor(
    private readonly signer: TokenSigner,
    private readonly clock: Clock,
    private readonly newTokenId: () => string = randomUUID,
  ) {}

  async mint(request: TokenRequest): Promise<MintedToken> {
    const mintedAtMs = this.clock.now();
    const iat = Math.floor(mintedAtMs / 1000);
    const jti = this.newTokenId();
    const expiry = request.lifetimeSeconds === undefined ? {} : { exp: iat + request.lifetimeSeconds };
    const jwt =
      request.kind === 'platform'
        ? await this.signer.sign({ aud: platformTokenAudience, iat, jti, ...expiry })
        : await this.signer.sign({
            aud: databaseTokenAudience,
            iat,
            jti,
            a: request.access,
            ...(request.permissions && { p: request.permissions }),
            ...(request.kind === 'database' ? { id: request.subject } : { gid: request.subject }),
            ...(request.generation !== undefined && request.generation > 0 && { rid: request.generation }),
            ...(request.groupGeneration !== undefined &&
              request.groupGeneration > 0 && { grid: request.groupGeneration }),
            ...expiry,
          } satisfies DatabaseTokenClaims);
    return {
      jwt,
      jti,
      kind: request.kind,
      subject: request.subject,
      access: request.access,
      ...(request.permissions && { permissions: request.permissions }),
      mintedBy: request.mintedBy,
      mintedAtMs,
      ...(request.generation !== undefined && { generation: request.generation }),
      ...(expiry.exp === undefined ? {} : { expiresAtUnixSeconds: expiry.exp }),
    };
  }
}
