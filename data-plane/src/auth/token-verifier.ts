import { errors, jwtVerify, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { ByocError } from '../errors/catalogue.js';
import { isDatabaseId } from '../identity.js';
import type { Runtime } from '../runtime.js';
import { parseTablePermissions } from './table-permissions.js';
import { databaseTokenAudience, type DatabaseTokenClaims } from './claims.js';
import { TokenCache, type TokenCacheLimits } from './token-cache.js';
import type { VerificationKey } from './verification-key-set.js';
import type { VerificationKeys } from './verification-keys.js';

export interface TokenVerifierOptions {
  readonly keys: VerificationKeys;
  readonly runtime: Pick<Runtime, 'nowMs'>;
  /** @default 10,000 tokens, 16 MiB */
  readonly cacheLimits?: TokenCacheLimits;
}

/** A longer token is refused before anything is done with it. */
export const maxTokenLength = 8192;

interface Verified {
  readonly claims: DatabaseTokenClaims;
  /** Unix seconds. */
  readonly notBefore: number | undefined;
  readonly key: VerificationKey;
}

/**
 * Verifies database tokens: EdDSA with a published Ed25519 key that the token's header names, and nothing else. A
 * signature is checked once per token; each later use costs a look-up, and checks again that the token is in its time
 * (no leeway) and that its key is still published.
 */
export class TokenVerifier {
  readonly #keys: VerificationKeys;
  readonly #runtime: Pick<Runtime, 'nowMs'>;
  readonly #cache: TokenCache<Verified>;
  readonly #pending = new Map<string, Promise<Verified>>();

  constructor(options: TokenVerifierOptions) {
    this.#keys = options.keys;
    this.#runtime = options.runtime;
    this.#cache = new TokenCache(options.cacheLimits ?? { maxTokens: 10_000, maxBytes: 16 * 1024 * 1024 });
  }

  /**
   * The claims of a valid token that was verified before, without waiting; undefined when `verify` has to be asked.
   * Throws `AUTH_JWT_EXPIRED`, `AUTH_JWT_IMMATURE`.
   */
  verifyKnown(token: string): DatabaseTokenClaims | undefined {
    if (!this.#keys.isFresh) return undefined;
    const verified = this.#cache.get(token);
    if (verified === undefined || !this.#keys.isCurrent(verified.key)) return undefined;
    this.#assertInTime(verified);
    return verified.claims;
  }

  /** Undefined when what is published is fresh enough to judge by; otherwise resolves when it is. Throws as `verify` does. */
  freshen(): Promise<void> | undefined {
    return this.#keys.freshen();
  }

  /**
   * The claims of a valid token. Throws `AUTH_JWT_INVALID`, `AUTH_JWT_EXPIRED`, `AUTH_JWT_IMMATURE`, and what
   * `VerificationKeys.freshen` throws.
   */
  async verify(token: string): Promise<DatabaseTokenClaims> {
    if (token.length > maxTokenLength) throw invalid(`the token is longer than ${maxTokenLength} characters`);
    const freshening = this.#keys.freshen();
    if (freshening !== undefined) await freshening;
    let verified = this.#cache.get(token);
    if (verified !== undefined && !this.#keys.isCurrent(verified.key)) {
      this.#cache.delete(token);
      verified = undefined;
    }
    verified ??= await this.#verifyOnce(token);
    this.#assertInTime(verified);
    return verified.claims;
  }

  #verifyOnce(token: string): Promise<Verified> {
    let pending = this.#pending.get(token);
    if (pending === undefined) {
      pending = this.#verifySignature(token).finally(() => this.#pending.delete(token));
      this.#pending.set(token, pending);
    }
    return pending;
  }

  async #verifySignature(token: string): Promise<Verified> {
    let key: VerificationKey | undefined;
    const findKey = async (header: JWTHeaderParameters) => {
      if (typeof header.kid !== 'string') throw invalid('the header of the token names no key');
      key = await this.#keys.find(header.kid);
      if (key === undefined) throw invalid('the token was not signed by a key of this deployment');
      return key.key;
    };
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, findKey, {
        algorithms: ['EdDSA'],
        audience: databaseTokenAudience,
        currentDate: new Date(this.#runtime.nowMs()),
      }));
    } catch (error) {
      throw translate(error);
    }
    if (key === undefined) throw invalid('the token was not signed by a key of this deployment');
    const verified: Verified = { claims: databaseClaims(payload), notBefore: payload.nbf, key };
    // Not when the key left the set meanwhile: such an entry would be dropped at its first use.
    if (this.#keys.isCurrent(key)) this.#cache.set(token, verified);
    return verified;
  }

  #assertInTime({ claims, notBefore }: Verified): void {
    const nowSeconds = this.#runtime.nowMs() / 1000;
    if (claims.exp !== undefined && claims.exp <= nowSeconds) throw expired();
    if (notBefore !== undefined && notBefore > nowSeconds) throw immature();
  }
}

/** Checks the types of the claims, which a valid signature says nothing about. */
function databaseClaims(payload: JWTPayload): DatabaseTokenClaims {
  const { aud, iat, exp, jti, a, p, id, gid, rid, grid } = payload;
  // A list of audiences could hold another one as well; a token of this system is for exactly one use.
  if (aud !== databaseTokenAudience) throw invalid('the token is not a database token');
  if (!isSeconds(iat)) throw invalid('the claim "iat" of the token is not a time');
  if (exp !== undefined && !isSeconds(exp)) throw invalid('the claim "exp" of the token is not a time');
  if (!isId(jti)) throw invalid('the claim "jti" of the token is not an id');
  if (a !== 'rw' && a !== 'ro') throw invalid('the claim "a" of the token is neither "rw" nor "ro"');
  const times = exp === undefined ? { iat } : { iat, exp };
  const rights = { a, ...permissionsOf(p) } as const;
  const generations = { ...generation('rid', rid), ...generation('grid', grid) };
  if (isDatabaseId(id) && gid === undefined) return { aud, ...times, jti, ...rights, id, ...generations };
  if (isId(gid) && id === undefined) return { aud, ...times, jti, ...rights, gid, ...generations };
  throw invalid('the token does not name exactly one of a database ("id") and a group ("gid")');
}

function permissionsOf(value: unknown): Pick<DatabaseTokenClaims, 'p'> {
  if (value === undefined) return {};
  const p = parseTablePermissions(value);
  if (typeof p === 'string') throw invalid(`the claim "p" of the token is no list of permissions: ${p}`);
  return { p };
}

function generation(claim: 'rid' | 'grid', value: unknown): { rid?: number; grid?: number } {
  if (value === undefined) return {};
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return { [claim]: value };
  throw invalid(`the claim "${claim}" of the token is not a generation`);
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 128;
}

function translate(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') return immature();
    return invalid(`the claim ${JSON.stringify(error.claim)} of the token is missing or wrong`, error);
  }
  if (error instanceof errors.JOSEError)
    return invalid('the token is not a valid EdDSA token of this deployment', error);
  return error;
}

function invalid(message: string, cause?: unknown): ByocError {
  return new ByocError('AUTH_JWT_INVALID', message, { cause });
}

function expired(): ByocError {
  return new ByocError('AUTH_JWT_EXPIRED', 'the token has expired');
}

function immature(): ByocError {
  return new ByocError('AUTH_JWT_IMMATURE', 'the token is not valid yet');
}
