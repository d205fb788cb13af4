import { LibsqlError } from '@libsql/client';
import { catalogue as dataPlaneCatalogue } from '@turso-byoc/data-plane/errors/catalogue.js';

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
  if (error instanceof LibsqlError && isRetriableDataPlaneCode(error.code)) return true;
  for (let cause: unknown = error, depth = 0; cause instanceof Error && depth < 6; cause = cause.cause, depth += 1) {
    if (cause.name === 'TimeoutError') return true;
    if ('code' in cause && typeof cause.code === 'string' && transientNetworkCodes.has(cause.code)) return true;
    if ('status' in cause && typeof cause.status === 'number' && isRetriableStatus(cause.status)) return true;
    if (cause instanceof AggregateError && cause.errors.some((part) => isRetriable(part))) return true;
  }
  return false;
}
