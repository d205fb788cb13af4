import { createHash, timingSafeEqual } from 'node:crypto';
import { bearerToken } from '../auth/bearer-header.js';
import { ByocError, isByocError } from '../errors/catalogue.js';

/** Shorter credentials are a mistake of the configuration. */
const minLength = 16;

/** The credential of the admin interface, kept as a digest. */
export class AdminCredential {
  readonly #digest: Buffer;

  /** Throws `RangeError` for a credential that is too short to be one. */
  constructor(credential: string) {
    if (credential.length < minLength) {
      throw new RangeError(`the admin credential must have at least ${minLength} characters`);
    }
    this.#digest = digest(credential);
  }

  /** Throws `ADMIN_UNAUTHORIZED` unless the header carries the credential. Takes the same time for any wrong one. */
  assert(authorization: string | undefined): void {
    let presented: string;
    try {
      presented = bearerToken(authorization);
    } catch (error) {
      if (isByocError(error)) throw new ByocError('ADMIN_UNAUTHORIZED', error.message, { cause: error });
      throw error;
    }
    if (!timingSafeEqual(digest(presented), this.#digest)) {
      throw new ByocError('ADMIN_UNAUTHORIZED', 'this is not the admin credential of the deployment');
    }
  }
}

/** Of one length whatever the text, so that the comparison tells nothing of it. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
