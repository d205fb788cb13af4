import { ControlPlaneError } from '../errors/catalogue.js';

/** The cursor of a page that ends with this name. */
export function listCursor(lastName: string): string {
  return Buffer.from(JSON.stringify({ after: lastName })).toString('base64url');
}

/** The name after which the next page begins. Throws `INVALID_CURSOR`. */
export function parseListCursor(cursor: string): string {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof value === 'object' && value !== null && 'after' in value && typeof value.after === 'string') {
      return value.after;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new ControlPlaneError('INVALID_CURSOR', 'the cursor was not made by this API');
}
