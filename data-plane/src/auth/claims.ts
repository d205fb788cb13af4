/**
 * Claims of a database token: an EdDSA (Ed25519) JWT whose header names the verification key (`kid`). The control plane
 * mints, data nodes verify; both use this file.
 */
import type { TablePermission } from './table-permissions.js';

export const databaseTokenAudience = 'turso-byoc:database';
export const platformTokenAudience = 'turso-byoc:platform';

export interface DatabaseTokenClaims {
  readonly aud: typeof databaseTokenAudience;
  /** Unix seconds. */
  readonly iat: number;
  /** Unix seconds; absent = never expires. */
  readonly exp?: number;
  /** Unique id of this token. */
  readonly jti: string;
  /** Access: read-write or read-only. */
  readonly a: 'rw' | 'ro';
  /** All that the token permits, table by table, within `a`. @default everything */
  readonly p?: readonly TablePermission[];
  /** UUID of the one database this token opens; exactly one of `id` and `gid` is present. */
  readonly id?: string;
  /** UUID of the group whose databases this token opens. */
  readonly gid?: string;
  /** Generation of the credentials of what `id` or `gid` names when the token was minted; rotation makes the next one. @default 0 */
  readonly rid?: number;
  /** The same of the group of the database that `id` names. @default 0 */
  readonly grid?: number;
  /** Signed by an issuer outside the deployment; no claim of a token. */
  readonly isOutside?: true;
}

/** What the control plane publishes for the data nodes, under `verificationKeysObject` of the control store. */
export interface VerificationKeySet {
  readonly format: 'turso-byoc/verification-keys/1';
  /** Strictly increasing. */
  readonly version: number;
  readonly keys: readonly {
    readonly kid: string;
    readonly algorithm: 'Ed25519';
    /** Raw 32-byte public key, base64url without padding. */
    readonly publicKey: string;
  }[];
}

/** Object key in the control store. The object changes only by If-Match. */
export const verificationKeysObject = 'verification-keys/current';
