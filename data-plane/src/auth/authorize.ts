import type { DatabaseDescription } from '../database/database-service.js';
import { ByocError } from '../errors/catalogue.js';
import type { DatabaseTokenClaims } from './claims.js';

/**
 * The database, if the token was minted for it or for its group. Throws `AUTH_FORBIDDEN` otherwise, in the same words
 * whether the database exists (`undefined` = it does not): a token must not tell its holder what else there is.
 */
export function authorize(claims: DatabaseTokenClaims, database: DatabaseDescription | undefined): DatabaseDescription {
  if (database !== undefined && (claims.id === database.id || claims.gid === database.group.id)) return database;
  throw new ByocError('AUTH_FORBIDDEN', 'this token does not open a database of that name');
}
