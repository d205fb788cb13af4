import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { databaseTokenAudience, type VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';

/** A key pair that signs database tokens, and what would be published of it. */
export interface TokenIssuer {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly published: VerificationKeySet['keys'][number];
  /** Signs `claims` over the defaults aud, iat, jti and a; `header` over alg and kid. */
  sign(claims: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>;
}

export function tokenIssuer(kid: string): TokenIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  if (x === undefined) throw new Error('an Ed25519 key has an x coordinate');
  let tokens = 0;
  return {
    kid,
    privateKey,
    published: { kid, algorithm: 'Ed25519', publicKey: x },
    sign(claims, header = {}) {
      tokens += 1;
      const defaults = { aud: databaseTokenAudience, iat: 1_700_000_000, jti: `token-${tokens}`, a: 'rw' };
      return new SignJWT({ ...defaults, ...claims })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT', kid, ...header })
        .sign(privateKey);
    },
  };
}

/** The bytes of a published key set. */
export function keySetBytes(version: number, ...issuers: readonly TokenIssuer[]): Buffer {
  const set: VerificationKeySet = {
    format: 'turso-byoc/verification-keys/1',
    version,
    keys: issuers.map((issuer) => issuer.published),
  };
  return Buffer.from(JSON.stringify(set));
}
