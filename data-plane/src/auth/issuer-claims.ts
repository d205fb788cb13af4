import type { JWTPayload } from 'jose';
import { ByocError } from '../errors/catalogue.js';
import { isDatabaseId } from '../identity.js';
import { databaseTokenAudience, type DatabaseTokenClaims } from './claims.js';
import { parseTablePermissions } from './table-permissions.js';

/**
 * What the payload of an outside issuer's token opens, in the terms of the deployment's own. Throws `AUTH_JWT_INVALID` for one that
 * names nothing, or something that is no database and no group: without a word on what it is for, it is for nothing.
 */
export function issuerClaims(payload: JWTPayload): DatabaseTokenClaims {
  const { exp, iat = 0, jti = '', sub, a = 'rw', id, gid, p } = payload;
  if (!Number.isSafeInteger(exp) || !Number.isSafeInteger(iat)) throw invalid('its times are none');
  if (a !== 'rw' && a !== 'ro') throw invalid('the claim "a" is neither "rw" nor "ro"');
  const permissions = p === undefined ? undefined : parseTablePermissions(p);
  if (typeof permissions === 'string') throw invalid(`the claim "p" is no list of permissions: ${permissions}`);
  const common = {
    aud: databaseTokenAudience,
    iat,
    exp: Number(exp),
    jti: typeof jti === 'string' && jti !== '' ? jti.slice(0, 128) : (sub ?? '').slice(0, 128),
    a,
    ...(permissions && { p: permissions }),
    isOutside: true,
  } as const;
  if (isDatabaseId(id) && gid === undefined) return { ...common, id };
  if (typeof gid === 'string' && gid !== '' && gid.length <= 128 && id === undefined) return { ...common, gid };
  throw invalid('it does not name exactly one of a database ("id") and a group ("gid")');
}

function invalid(why: string): ByocError {
  return new ByocError('AUTH_JWT_INVALID', `the token of this issuer opens nothing: ${why}`);
}
