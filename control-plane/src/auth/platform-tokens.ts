import {
  findApiTokenName,
  insertApiToken,
  listApiTokens,
  revokeApiToken,
  type ApiTokenRecord,
} from '../catalog/api-tokens.js';
import type { CatalogConnection } from '../catalog/catalog-connection.js';
import type { Clock } from '../clock.js';
import { ControlPlaneError, isControlPlaneError } from '../errors/catalogue.js';
import type { PlatformAuthenticator } from './platform-authenticator.js';
import type { MintedToken, TokenMinter } from './token-minter.js';

/** Platform tokens: each has a name, is recorded when minted and is in force until it is revoked. */
export class PlatformTokens {
  constructor(
    private readonly catalog: CatalogConnection,
    private readonly minter: TokenMinter,
    private readonly authenticator: PlatformAuthenticator,
    private readonly clock: Clock,
  ) {}

  async list(): Promise<ApiTokenRecord[]> {
    return listApiTokens(this.catalog);
  }

  /** A new token that never expires. Throws `API_TOKEN_EXISTS`. */
  async mint(name: string, mintedBy: string): Promise<MintedToken> {
    const token = await this.minter.mint({ kind: 'platform', subject: name, access: 'rw', mintedBy });
    if (await insertApiToken(this.catalog, token)) return token;
    throw new ControlPlaneError('API_TOKEN_EXISTS', `api token with name ${name} already exists`);
  }

  /** Revokes the token with this name or, when none has it, this id; returns the record. Throws `API_TOKEN_NOT_FOUND`. */
  async revoke(nameOrId: string): Promise<ApiTokenRecord> {
    const tokens = await listApiTokens(this.catalog);
    const token = tokens.find((each) => each.name === nameOrId) ?? tokens.find((each) => each.id === nameOrId);
    if (token === undefined) {
      throw new ControlPlaneError('API_TOKEN_NOT_FOUND', `could not find api token ${nameOrId}`);
    }
    this.authenticator.forget(token.id);
    await revokeApiToken(this.catalog, token.id, this.clock.now());
    this.authenticator.forget(token.id);
    return token;
  }

  /**
   * The given token when it is in force under this name; a new one under this name otherwise, whose predecessor of the
   * same name is revoked, since whoever asks has lost it.
   */
  async ensure(name: string, current: string | undefined, mintedBy: string): Promise<string> {
    if (current !== undefined && (await this.#isInForce(current, name))) return current;
    const tokens = await listApiTokens(this.catalog);
    if (tokens.some((token) => token.name === name)) await this.revoke(name);
    return (await this.mint(name, mintedBy)).jwt;
  }

  async #isInForce(token: string, name: string): Promise<boolean> {
    try {
      const principal = await this.authenticator.authenticate(`Bearer ${token}`);
      return (await findApiTokenName(this.catalog, principal.tokenId)) === name;
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
