import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { authorize } from '../auth/authorize.js';
import { bearerToken } from '../auth/bearer-header.js';
import type { DatabaseTokenClaims } from '../auth/claims.js';
import type { ClientOrigin } from '../auth/client-origin.js';
import type { IssuerTokens } from '../auth/issuer-tokens.js';
import type { PublishedRules, RuledAccess } from '../auth/published-rules.js';
import type { TokenVerifier } from '../auth/token-verifier.js';
import type { DatabaseDescription, DatabaseService } from '../database/database-service.js';
import { ByocError, isByocError } from '../errors/catalogue.js';
import { permitsWrites } from '../auth/table-permissions.js';
import type { Restrictions } from '../engine/ipc/messages.js';
import { isDatabaseId } from '../identity.js';
import type { Admission } from '../database/database-service.js';
import { hostLabel } from '../naming/host-label.js';
import type { ClientOrigins, OriginHeaders } from './client-origins.js';
import { databaseAddress, type RequestTarget } from './request-target.js';

export interface GrantedAccess {
  readonly database: DatabaseDescription;
  /** The token may only read, or writes of the database are blocked. */
  readonly readOnly: boolean;
  /** What the token may do less than that. */
  readonly restrictions: Restrictions | undefined;
  readonly admission: Admission;
}

/**
 * Decides which database a request reaches.
 *
 * The order tells nobody what exists: first the token (401 for everybody without a valid one, whatever they ask for),
 * then the name. To the holder of a valid token a name that does not exist and one that the token does not open are
 * answered alike, with AUTH_FORBIDDEN. Turso Cloud answers 404 for an unknown name; here 404 is for the holder of a
 * token whose own database is gone, and then for every name it asks for, so that this answer is no oracle either.
 */
export class DatabaseAccess {
  constructor(
    private readonly tokens: TokenVerifier,
    private readonly databases: Pick<DatabaseService, 'find' | 'describe'>,
    private readonly rules: PublishedRules,
    private readonly origins: ClientOrigins,
    private readonly issuers: IssuerTokens,
  ) {}

  /**
   * `socket`: what the request came on. Throws the `AUTH_…` errors, `ORIGIN_FORBIDDEN`, `BLOCKED`, `DATABASE_ADDRESS_MISSING`,
   * `DATABASE_NOT_FOUND`, and what the verifier and the service throw.
   */
  async grant(
    target: RequestTarget,
    headers: Pick<IncomingHttpHeaders, 'authorization' | 'host'> & OriginHeaders,
    socket: Socket,
  ): Promise<GrantedAccess> {
    const token = bearerToken(headers.authorization);
    const own = this.tokens.verifyKnown(token) ?? (await this.#verifyOwn(token));
    const address = databaseAddress(target, headers.host);
    if (address === undefined) {
      throw new ByocError('DATABASE_ADDRESS_MISSING', 'neither the host name nor the path names a database');
    }
    const label = hostLabel(address);
    const client = (): ClientOrigin => this.origins.originOf(socket, headers, label);
    const grant = async (fresh: boolean): Promise<GrantedAccess> => {
      const found = await this.databases.find(address.organization, address.database, { fresh });
      const claims = own ?? (await this.#verifyOutside(token, found));
      const database = authorize(claims, found);
      const ruled = this.rules.judge(claims, database, client);
      return {
        database,
        readOnly: ruled.writesBlocked || claims.a === 'ro' || (claims.p !== undefined && !permitsWrites(claims.p)),
        restrictions: restrictionsOf(claims, ruled),
        admission: { label, authorization: headers.authorization ?? '', client },
      };
    };
    try {
      return await grant(false).catch((error: unknown) => {
        // The name may have been given to another database through another node.
        if (isByocError(error, 'AUTH_FORBIDDEN')) return grant(true);
        throw error;
      });
    } catch (error) {
      if (isByocError(error, 'AUTH_FORBIDDEN') && isDatabaseId(own?.id)) {
        if ((await this.databases.describe(own.id)) === undefined) {
          throw new ByocError('DATABASE_NOT_FOUND', 'the database that this token was minted for does not exist');
        }
      }
      throw error;
    }
  }

  /** Undefined for a token that only an issuer outside can have signed. */
  async #verifyOwn(token: string): Promise<DatabaseTokenClaims | undefined> {
    await this.tokens.freshen();
    if (this.rules.hasIssuers && this.issuers.isOutside(token)) return undefined;
    try {
      return await this.tokens.verify(token);
    } catch (error) {
      // Issuers outside may sign with the same algorithm.
      if (isByocError(error, 'AUTH_JWT_INVALID') && this.rules.hasIssuers) return undefined;
      throw error;
    }
  }

  /** `AUTH_JWT_INVALID` for a database that is not there as for one whose group knows no such issuer. */
  async #verifyOutside(token: string, database: DatabaseDescription | undefined): Promise<DatabaseTokenClaims> {
    return this.issuers.verify(token, database === undefined ? [] : this.rules.issuersOf(database.group.id));
  }
}

const pageBytes = 4096;

/** Undefined for most: what is undefined need not be sent to the engine. */
function restrictionsOf({ p }: DatabaseTokenClaims, { maxBytes }: RuledAccess): Restrictions | undefined {
  if (p === undefined && maxBytes === undefined) return undefined;
  return {
    ...(p && { permissions: p }),
    ...(maxBytes !== undefined && { maxPages: Math.max(1, Math.floor(maxBytes / pageBytes)) }),
  };
}
