import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createClient, LibsqlError } from '@libsql/client';
import { isRetriable, isRetriableDataPlaneCode, isRetriableStatus } from './retriable-errors.js';

describe('isRetriable', () => {
  it('knows the codes that mean "later"', () => {
    for (const code of ['OUTCOME_UNKNOWN', 'SHUTTING_DOWN', 'DATABASE_MOVED', 'ENGINE_RESTARTED', 'TRANSACTION_BUSY']) {
      expect(isRetriableDataPlaneCode(code)).toBe(true);
      expect(isRetriable(new LibsqlError('x', code))).toBe(true);
    }
    for (const code of ['SQL_PARSE_ERROR', 'SQLITE_CONSTRAINT', 'AUTH_JWT_INVALID', 'DATABASE_NOT_FOUND', '']) {
      expect(isRetriable(new LibsqlError('x', code))).toBe(false);
    }
  });

  it('knows the statuses of a proxy without a backend', () => {
    expect([502, 503, 504, 429].every(isRetriableStatus)).toBe(true);
    expect([200, 400, 401, 404, 409, 500, 501].some(isRetriableStatus)).toBe(false);
  });

  it('recognises what fetch and the SQL client throw when nobody listens', async () => {
    // A port that was free a moment ago.
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const fetched: unknown = await fetch(`http://127.0.0.1:${port}`).catch((error: unknown) => error);
    expect(isRetriable(fetched)).toBe(true);
    const queried: unknown = await createClient({ url: `http://127.0.0.1:${port}` })
      .execute('SELECT 1')
      .catch((error: unknown) => error);
    expect(isRetriable(queried)).toBe(true);
  });

  it('recognises an attempt that took too long', async () => {
    const aborted: unknown = await new Promise((resolve) => {
      const signal = AbortSignal.timeout(1);
      signal.addEventListener('abort', () => resolve(signal.reason));
    });
    expect(isRetriable(aborted)).toBe(true);
  });

  it('does not take other mistakes for outages', () => {
    expect(isRetriable(new TypeError('x is not a function'))).toBe(false);
    expect(isRetriable(undefined)).toBe(false);
  });
});
