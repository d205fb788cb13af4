import { catalogue as dataPlaneCatalogue } from '@turso-byoc/data-plane/errors/catalogue.js';
import { errorCode } from '../errors/error-code.js';

/** Another writer was in the way, or a stream did not live long enough: nothing took effect, the next try may work. */
const transientSqlCodes = new Set(['TRANSACTION_BUSY', 'TRANSACTION_TIMEOUT', 'STREAM_EXPIRED', 'SQLITE_BUSY']);

const transientNetworkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Whether a code of the data plane's catalogue means "later": the codes that travel under 503, and busy databases. */
export function isRetriableDataPlaneCode(code: string): boolean {
  if (transientSqlCodes.has(code)) return true;
  return Object.entries(dataPlaneCatalogue).some(([name, entry]) => name === code && entry.status === 503);
}

/** Whether an HTTP status without a known code means "later" (a proxy without a backend, a limit). */
export function isRetriableStatus(status: number): boolean {
  return status === 502 || status === 503 || status === 504 || status === 429;
}

/**
 * Whether a call to the data plane may succeed when it is repeated: the node restarts, moves a database, or could not be
 * reached. The first try may have taken effect, so only idempotent calls may be repeated.
 */
export function isRetriable(error: unknown): boolean {
  const code = errorCode(error);
  if (code !== undefined && (isRetriableDataPlaneCode(code) || transientNetworkCodes.has(code))) return true;
  if (typeof error !== 'object' || error === null) return false;
  if ('name' in error && error.name === 'TimeoutError') return true;
  if ('status' in error && typeof error.status === 'number' && isRetriableStatus(error.status)) return true;
  if ('errors' in error && Array.isArray(error.errors) && error.errors.some(isRetriable)) return true;
  return 'cause' in error && isRetriable(error.cause);
}
