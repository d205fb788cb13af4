import { ByocError } from '../errors/catalogue.js';

// RFC 6750 b64token; one space or more after the scheme, whose case does not matter (RFC 9110).
const bearerHeader = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/**
 * The token of an `Authorization: Bearer` header. Throws `AUTH_HTTP_HEADER_MISSING` when there is no such header,
 * `AUTH_HTTP_HEADER_INVALID` when it is of another scheme or shape.
 */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === '') {
    throw new ByocError('AUTH_HTTP_HEADER_MISSING', 'the request has no Authorization header');
  }
  const token = bearerHeader.exec(header)?.[1];
  if (token === undefined) {
    throw new ByocError('AUTH_HTTP_HEADER_INVALID', 'the Authorization header is not of the form "Bearer <token>"');
  }
  return token;
}
