/** The headers in which clients send a key that they hold, by the names that official clients use. */
import type { IncomingHttpHeaders } from 'node:http';
import type { PresentedKey } from '../keys/client-key.js';

export const encryptionKeyHeader = 'x-turso-encryption-key';
export const encryptionCipherHeader = 'x-turso-encryption-cipher';

/** What a request brings of a client's key; undefined for most. */
export function presentedKey(headers: IncomingHttpHeaders): PresentedKey | undefined {
  const key = single(headers[encryptionKeyHeader]);
  const cipher = single(headers[encryptionCipherHeader]);
  return key === undefined && cipher === undefined ? undefined : { key, cipher };
}

/** The same as headers of a request that is passed on. */
export function presentedHeaders({ key, cipher }: PresentedKey = {}): Record<string, string> {
  return {
    ...(key !== undefined && { [encryptionKeyHeader]: key }),
    ...(cipher !== undefined && { [encryptionCipherHeader]: cipher }),
  };
}

/** Of a header that came twice Node makes one value, which is then no key. */
function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
