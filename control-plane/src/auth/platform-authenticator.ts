/**
 * Who calls the Platform API. A call is let in when its token was signed by this deployment, has not expired, and is
 * still in the catalog. A token found there is not looked up again for `maxStalenessMs`, so a revocation made through
 * another replica is seen that much later at most; one made through this replica is seen at once.
 *
 * A signature that was found good stays good: the keys of a deployment never leave it while it runs. So what a token says is
 * remembered by the token's digest, and only its expiry is looked at again.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { platformTokenAudience, type VerificationKeySet } from '@turso-byoc/data-plane/auth/claims.js';
import { errors, jwtVerify } from 'jose';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import type { TokenHolder } from './token-holder.js';

export const maxStalenessMs = 5_000;
const maxRemembered = 10_000;

export interface Principal extends TokenHolder {
  /** The `jti` of the platform token. */
  readonly tokenId: string;
  /** Absent = the token never expires. */
  readonly expiresAtUnixSeconds?: number;
}

/** Looks a platform token up by id: whom it stands for, or undefined when it is not (or no longer) there. */
export type FindTokenHolder = (tokenId: string) => Promise<TokenHolder | undefined>;

/** What a token says whose signature is good. */
interface VerifiedToken {
  readonly tokenId: string;
  readonly expiry: { readonly expiresAtUnixSeconds?: number };
}

export class PlatformAuthenticator {
  readonly #verified = new Map<string, VerifiedToken>();
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #remembered = new Map<string, { holder: TokenHolder; lookedUpAtMs: number }>();
  #revocations = 0;

  constructor(
    keySet: VerificationKeySet,
    private readonly findTokenHolder: FindTokenHolder,
    private readonly clock: Clock,
  ) {
    this.#keys = new Map(
      keySet.keys.map((key) => [
        key.kid,
        createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: key.publicKey } }),
      ]),
    );
  }

  /**
   * The caller that an `Authorization` header stands for. Throws `AUTH_TOKEN_MISSING`, `AUTH_TOKEN_INVALID`,
   * `AUTH_TOKEN_EXPIRED`, `AUTH_TOKEN_REVOKED`.
   */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    const token = /^bearer +([^ ]+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) {
      throw new ControlPlaneError('AUTH_TOKEN_MISSING', 'the request carries no bearer token');
    }
    const { tokenId, expiry } = await this.#verify(token);
    const holder = await this.#holderOf(tokenId);
    if (holder === undefined) throw new ControlPlaneError('AUTH_TOKEN_REVOKED', 'the token has been revoked');
    return { tokenId, ...holder, ...expiry };
  }

  /** Forgets a token that is about to be, or has just been, taken out of the catalog. */
  forget(tokenId: string): void {
    this.#revocations += 1;
    this.#remembered.delete(tokenId);
  }

  /** Forgets everybody: roles or memberships change. */
  forgetAll(): void {
    this.#revocations += 1;
    this.#remembered.clear();
  }

  async #verify(token: string): Promise<VerifiedToken> {
    const digest = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(digest);
    if (known !== undefined) {
      const { expiresAtUnixSeconds } = known.expiry;
      if (expiresAtUnixSeconds === undefined || this.clock.now() < expiresAtUnixSeconds * 1_000) return known;
      this.#verified.delete(digest);
    }
    const verified = await this.#checkSignature(token);
    if (this.#verified.size >= maxRemembered) this.#verified.clear();
    this.#verified.set(digest, verified);
    return verified;
  }

  async #checkSignature(token: string): Promise<VerifiedToken> {
    try {
      const { payload } = await jwtVerify(
        token,
        (header) => {
          const key = this.#keys.get(header.kid ?? '');
          if (key === undefined) throw new errors.JWKSNoMatchingKey();
          return key;
        },
        {
          algorithms: ['EdDSA'],
          audience: platformTokenAudience,
          requiredClaims: ['jti', 'iat'],
          currentDate: new Date(this.clock.now()),
        },
      );
      if (typeof payload.jti !== 'string') throw new errors.JWTInvalid('"jti" is not a string');
      return {
        tokenId: payload.jti,
        expiry: payload.exp === undefined ? {} : { expiresAtUnixSeconds: payload.exp },
      };
    } catch (error) {
      if (error instanceof errors.JWTExpired) {
        throw new ControlPlaneError('AUTH_TOKEN_EXPIRED', 'the token has expired');
      }
      if (error instanceof errors.JOSEError) {
        throw new ControlPlaneError('AUTH_TOKEN_INVALID', 'the token is not a platform token of this deployment');
      }
      throw error;
    }
  }

  async #holderOf(tokenId: string): Promise<TokenHolder | undefined> {
    const now = this.clock.now();
    const remembered = this.#remembered.get(tokenId);
    if (remembered !== undefined && now - remembered.lookedUpAtMs < maxStalenessMs) return remembered.holder;
    const revocationsBefore = this.#revocations;
    const holder = await this.findTokenHolder(tokenId);
    this.#remembered.delete(tokenId);
    // A revocation that ran beside the lookup may be newer than its answer, which is then not worth remembering.
    if (holder !== undefined && revocationsBefore === this.#revocations) {
      if (this.#remembered.size >= maxRemembered) this.#remembered.clear();
      this.#remembered.set(tokenId, { holder, lookedUpAtMs: now });
    }
    return holder;
  }
}
