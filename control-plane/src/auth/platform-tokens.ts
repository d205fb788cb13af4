import {
  findTokenHolder,
  insertApiToken,
  listApiTokens,
  revokeApiToken,
  revokeTokensOfUser,
  tokensOfOrganization,
  type ApiTokenRecord,
} from '../catalog/api-tokens.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import type { TokenRestriction } from './permissions.js';
import type { PlatformAuthenticator } from './platform-authenticator.js';
import type { MintedToken, TokenMinter } from './token-minter.js';

export interface PlatformTokenRequest {
  readonly userUuid: string;
  /** Unique among the user's tokens. */
  readonly name: string;
  /** Id of the platform token that asked for it, or the part of the system that did. */
  readonly mintedBy: string;
  readonly restriction?: TokenRestriction;
  /** Of a sign-in: not listed among the user's tokens. */
  readonly isSession?: boolean;
  /** Seconds from now; absent = never expires. */
  readonly lifetimeSeconds?: number;
}

/** Platform tokens: each belongs to a user, has a name, is recorded when minted and is in force until it is revoked. */
export class PlatformTokens {
  constructor(
    private readonly catalog: CatalogConnection,
    private readonly minter: TokenMinter,
    private readonly authenticator: PlatformAuthenticator,
    private readonly clock: Clock,
  ) {}

  async list(userUuid: string): Promise<ApiTokenRecord[]> {
    return listApiTokens(this.catalog, userUuid);
  }

  async listOfOrganization(organization: string): Promise<ApiTokenRecord[]> {
    return tokensOfOrganization(this.catalog, organization);
  }

  /** A new token. Throws `API_TOKEN_EXISTS`. */
  async mint({
    name,
    userUuid,
    mintedBy,
    restriction,
    isSession,
    lifetimeSeconds,
  }: PlatformTokenRequest): Promise<MintedToken> {
    const token = await this.minter.mint({ kind: 'platform', subject: name, access: 'rw', mintedBy, lifetimeSeconds });
    const owner = { userUuid, ...(restriction && { restriction }), ...(isSession === true && { isSession }) };
    if (await insertApiToken(this.catalog, token, owner)) return token;
    throw new ControlPlaneError('API_TOKEN_EXISTS', `api token with name ${name} already exists`);
  }

  /**
   * Revokes the user's token with this name or, when none has it, this id; returns the record. Throws
   * `API_TOKEN_NOT_FOUND`.
   */
  async revoke(userUuid: string, nameOrId: string): Promise<ApiTokenRecord> {
    return this.#revoke(await this.list(userUuid), nameOrId);
  }

  /** The same, of the tokens that are restricted to an organization. */
  async revokeInOrganization(organization: string, id: string): Promise<ApiTokenRecord> {
    return this.#revoke(await this.listOfOrganization(organization), id);
  }

  /** Revokes every token of a user that was minted before now; returns the time, in milliseconds since 1970. */
  async revokeAll(userUuid: string): Promise<number> {
    const beforeMs = this.clock.now();
    await revokeTokensOfUser(this.catalog, userUuid, beforeMs);
    this.authenticator.forgetAll();
    return beforeMs;
  }

  /**
   * The given token when it is in force for this user under this name; a new one under this name otherwise, whose
   * predecessor of the same name is revoked, since whoever asks has lost it.
   */
  async ensure(userUuid: string, name: string, current: string | undefined, mintedBy: string): Promise<string> {
    if (current !== undefined && (await this.#isInForce(current, userUuid, name))) return current;
    const tokens = await this.list(userUuid);
    if (tokens.some((token) => token.name === name)) await this.revoke(userUuid, name);
    return (await this.mint({ userUuid, name, mintedBy })).jwt;
  }

  async #revoke(tokens: readonly ApiTokenRecord[], nameOrId: string): Promise<ApiTokenRecord> {
    const token = tokens.find((each) => each.name === nameOrId) ?? tokens.find((each) => each.id === nameOrId);
    if (token === undefined) {
      throw new ControlPlaneError('API_TOKEN_NOT_FOUND', `could not find api token ${nameOrId}`);
    }
    this.authenticator.forget(token.id);
    await revokeApiToken(this.catalog, token.id, this.clock.now());
    this.authenticator.forget(token.id);
    return token;
  }

  async #isInForce(token: string, userUuid: string, name: string): Promise<boolean> {
    try {
      const principal = await this.authenticator.authenticate(`Bearer ${token}`);
      const holder = await findTokenHolder(this.catalog, principal.tokenId);
      return holder?.tokenName === name && holder.user.uuid === userUuid;
    } catch (error) {
      if (
        isControlPlaneError(
          error,
          'AUTH_TOKEN_MISSING',
          'AUTH_TOKEN_INVALID',
          'AUTH_TOKEN_EXPIRED',
          'AUTH_TOKEN_REVOKED',
        )
      ) {
        return false;
      }
      throw error;
    }
  }
}
