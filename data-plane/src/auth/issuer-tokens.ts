/**
 * Tokens of issuers outside the deployment, whose key sets an organization has registered. Their claims say what they open as
 * those of the deployment's own tokens do: `id` or `gid`, `a`, `p`. A token that names neither a database nor a group opens nothing.
 */
import { decodeProtectedHeader, errors, jwtVerify } from 'jose';
import { ByocError, isByocError } from '../errors/catalogue.js';
import type { Runtime } from '../runtime.js';
import type { RegisteredIssuer } from './access-rules.js';
import type { DatabaseTokenClaims } from './claims.js';
import { issuerAlgorithms, type IssuerKeys } from './issuer-keys.js';
import { issuerClaims } from './issuer-claims.js';
import { TokenCache } from './token-cache.js';
import { maxTokenLength } from './token-verifier.js';

interface Verified {
  readonly claims: DatabaseTokenClaims;
  readonly notBefore: number | undefined;
  /** When its key has to be looked up again, on the monotonic clock. */
  readonly untilMs: number;
}

/** How long a verified token needs no look at its key: a key that an issuer takes back opens nothing after this and the set's age. */
const believedMs = 30_000;

export interface IssuerTokensOptions {
  readonly keys: IssuerKeys;
  readonly runtime: Pick<Runtime, 'nowMs' | 'monotonicMs'>;
}

export class IssuerTokens {
  readonly #options: IssuerTokensOptions;
  readonly #cache = new TokenCache<Verified>({ maxTokens: 10_000, maxBytes: 16 * 1024 * 1024 });
  readonly #outside = new TokenCache<true>({ maxTokens: 10_000, maxBytes: 16 * 1024 * 1024 });

  constructor(options: IssuerTokensOptions) {
    this.#options = options;
  }

  /** Whether the deployment itself cannot have signed a token: for its algorithm, or because an issuer is known to have. */
  isOutside(token: string): boolean {
    if (this.#outside.get(token) === true) return true;
    try {
      const { alg } = decodeProtectedHeader(token);
      return alg !== 'EdDSA' && (issuerAlgorithms as readonly unknown[]).includes(alg);
    } catch {
      // No token at all: whoever verifies says so.
      return false;
    }
  }

  /**
   * The claims of a token that one of these issuers signed. Throws `AUTH_JWT_INVALID`, `AUTH_JWT_EXPIRED`, `AUTH_JWT_IMMATURE`,
   * `AUTH_KEYS_UNAVAILABLE`.
   */
  async verify(token: string, issuers: readonly RegisteredIssuer[]): Promise<DatabaseTokenClaims> {
    if (token.length > maxTokenLength) throw unknownKey();
    const { runtime } = this.#options;
    // A token of one organization's issuer must not be found for another's.
    const key = `${JSON.stringify(issuers)}\n${token}`;
    let verified = this.#cache.get(key);
    if (verified === undefined || verified.untilMs <= runtime.monotonicMs()) {
      verified = await this.#verify(token, issuers);
      this.#cache.set(key, verified);
      this.#outside.set(token, true);
    }
    const nowSeconds = runtime.nowMs() / 1000;
    const { claims, notBefore } = verified;
    if ((claims.exp ?? 0) <= nowSeconds) throw new ByocError('AUTH_JWT_EXPIRED', 'the token has expired');
    if (notBefore !== undefined && notBefore > nowSeconds) {
      throw new ByocError('AUTH_JWT_IMMATURE', 'the token is not valid yet');
    }
    return claims;
  }

  async #verify(token: string, issuers: readonly RegisteredIssuer[]): Promise<Verified> {
    const { keys, runtime } = this.#options;
    const { kid, alg } = headerOf(token);
    let unavailable: ByocError | undefined;
    for (const issuer of issuers) {
      try {
        const key = await keys.find(issuer.url, kid, alg);
        if (key === undefined) continue;
        const { payload } = await jwtVerify(token, key, {
          algorithms: [...issuerAlgorithms],
          currentDate: new Date(runtime.nowMs()),
          requiredClaims: ['exp'],
          ...(issuer.issuer !== undefined && { issuer: issuer.issuer }),
          ...(issuer.audience !== undefined && { audience: issuer.audience }),
        });
        const untilMs = runtime.monotonicMs() + believedMs;
        return { claims: issuerClaims(payload), notBefore: payload.nbf, untilMs };
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (isByocError(error, 'AUTH_KEYS_UNAVAILABLE')) unavailable = error;
        else throw translated(error);
      }
    }
    throw unavailable ?? unknownKey();
  }
}

/** What a token says it was signed with. Throws `AUTH_JWT_INVALID`. */
function headerOf(token: string): { readonly kid: string; readonly alg: string } {
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    if (typeof kid === 'string' && (issuerAlgorithms as readonly unknown[]).includes(alg))
      return { kid, alg: String(alg) };
  } catch (cause) {
    throw new ByocError('AUTH_JWT_INVALID', 'the token is not a valid token of this deployment', { cause });
  }
  throw unknownKey();
}

function unknownKey(): ByocError {
  return new ByocError('AUTH_JWT_INVALID', 'the token was not signed by a key of this deployment');
}

function translated(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return new ByocError('AUTH_JWT_EXPIRED', 'the token has expired');
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf' && error.reason === 'check_failed') {
      return new ByocError('AUTH_JWT_IMMATURE', 'the token is not valid yet');
    }
    const claim = JSON.stringify(error.claim);
    return new ByocError('AUTH_JWT_INVALID', `the claim ${claim} of the token is missing or wrong`, { cause: error });
  }
  if (error instanceof errors.JOSEError) {
    return new ByocError('AUTH_JWT_INVALID', 'the token is not a valid token of its issuer', { cause: error });
  }
  return error;
}
