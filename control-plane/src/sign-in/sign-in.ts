/** Signs people in through the identity provider, and hands the CLI, or the person, a platform token. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { PlatformAuthenticator } from '../auth/platform-authenticator.js';
import type { PlatformTokens } from '../auth/platform-tokens.js';
import { forgetSessions } from '../catalog/api-tokens.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import { acceptInvitesOf } from '../catalog/invites.js';
import { insertSignIn, takeSignIn } from '../catalog/sign-ins.js';
import { claimUser, findUnclaimedUser, findUserBySubject, insertUser, type UserRecord } from '../catalog/users.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError } from '../errors/catalogue.js';
import { TokenBucket } from '../limits/token-bucket.js';
import type { Identity, IdentityProvider } from './identity-provider.js';

/** How long a token of a sign-in is in force. */
export const sessionLifetimeSeconds = 7 * 86_400;
/** Anybody can begin a sign-in, and each begun one is a row. */
const signInsPerMinute = 600;
const maxUsernameAttempts = 20;

/** Where the token goes: to the CLI that waits on this port of the person's machine, or onto the screen. */
export interface ReturnAddress {
  readonly port?: number;
  readonly state?: string;
}

export interface EndedSignIn {
  readonly token: string;
  readonly user: UserRecord;
  readonly returnTo: ReturnAddress;
}

export class SignIn {
  readonly #bucket: TokenBucket;

  constructor(
    private readonly provider: IdentityProvider,
    private readonly catalog: CatalogConnection,
    private readonly platformTokens: PlatformTokens,
    private readonly authenticator: PlatformAuthenticator,
    private readonly clock: Clock,
  ) {
    this.#bucket = new TokenBucket(signInsPerMinute, clock.now());
  }

  /** Begins a sign-in: where to send the browser, and the cookie to give it. Throws `SIGN_IN_FAILED`, `RATE_LIMITED`. */
  async begin(returnTo: ReturnAddress): Promise<{ readonly url: string; readonly cookie: string }> {
    if (this.#bucket.take(this.clock.now()) !== undefined) {
      throw new ControlPlaneError('RATE_LIMITED', 'too many people sign in at once');
    }
    const [state, nonce, verifier, cookie] = Array.from({ length: 4 }, () => randomBytes(32).toString('base64url')) as [
      string,
      string,
      string,
      string,
    ];
    const url = await this.provider.authorizationUrl({ state, nonce, verifier });
    await insertSignIn(
      this.catalog,
      {
        state,
        nonce,
        verifier,
        browserDigest: digestOf(cookie),
        ...(returnTo.port !== undefined && { returnPort: returnTo.port }),
        ...(returnTo.state !== undefined && { returnState: returnTo.state }),
      },
      this.clock.now(),
    );
    return { url, cookie };
  }

  /**
   * Ends a sign-in with what the provider sent back through the browser that began it. Who comes for the first time becomes
   * a user, or the one that an operator made for the same e-mail address, and a member wherever that address was invited.
   * Throws `SIGN_IN_FAILED`.
   */
  async end(query: string, cookie: string | undefined): Promise<EndedSignIn> {
    const state = new URLSearchParams(query).get('state') ?? '';
    const pending =
      cookie === undefined ? undefined : await takeSignIn(this.catalog, state, digestOf(cookie), this.clock.now());
    if (pending === undefined) {
      throw new ControlPlaneError('SIGN_IN_FAILED', 'this sign-in was not begun here, or too long ago');
    }
    const identity = await this.provider.identityFrom(query, pending);
    const user = await this.#userFor(identity);
    const nowMs = this.clock.now();
    await acceptInvitesOf(this.catalog, identity.email, user.uuid, nowMs);
    await forgetSessions(this.catalog, user.uuid, nowMs - sessionLifetimeSeconds * 1_000);
    this.authenticator.forgetAll();
    const token = await this.platformTokens.mint({
      userUuid: user.uuid,
      name: `sign-in-${randomUUID()}`,
      mintedBy: 'sign-in',
      isSession: true,
      lifetimeSeconds: sessionLifetimeSeconds,
    });
    return {
      token: token.jwt,
      user,
      returnTo: {
        ...(pending.returnPort !== undefined && { port: pending.returnPort }),
        ...(pending.returnState !== undefined && { state: pending.returnState }),
      },
    };
  }

  async #userFor(identity: Identity): Promise<UserRecord> {
    const known = await findUserBySubject(this.catalog, identity.subject);
    if (known !== undefined) return known;
    const unclaimed = await findUnclaimedUser(this.catalog, identity.email);
    if (unclaimed !== undefined) {
      await claimUser(this.catalog, unclaimed.uuid, identity.subject);
      const claimed = await findUserBySubject(this.catalog, identity.subject);
      if (claimed !== undefined) return claimed;
    }
    const base = usernameFor(identity);
    for (let attempt = 1; attempt <= maxUsernameAttempts; attempt += 1) {
      const username = attempt === 1 ? base : `${base}-${attempt}`;
      const user: UserRecord = {
        uuid: randomUUID(),
        username,
        email: identity.email,
        name: identity.name === '' ? username : identity.name,
        isOperator: false,
        createdAtMs: this.clock.now(),
      };
      if (await insertUser(this.catalog, { ...user, subject: identity.subject })) return user;
      // The same person may have come twice at once.
      const now = await findUserBySubject(this.catalog, identity.subject);
      if (now !== undefined) return now;
    }
    throw new ControlPlaneError('SIGN_IN_FAILED', `no user name like ${base} is free`);
  }
}

/** A user name made of what the provider says. */
function usernameFor({ preferredUsername }: Identity): string {
  const [local = ''] = preferredUsername.toLowerCase().split('@');
  const name = local
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 30)
    .replace(/-+$/, '');
  return name === '' ? 'user' : name;
}

function digestOf(cookie: string): string {
  return createHash('sha256').update(cookie).digest('hex');
}
