import type { IncomingHttpHeaders } from 'node:http';

/** Names a request in the logs of every process that it passes. */
export const requestIdHeader = 'x-request-id';

/** What may come into a log as it stands, and is long enough to be told apart. */
const form = /^[A-Za-z0-9._-]{8,64}$/;

/** The id that whoever sent a request gave it; undefined when it gave none, or one that is none. */
export function givenRequestId(headers: IncomingHttpHeaders): string | undefined {
  const value = headers[requestIdHeader];
  return typeof value === 'string' && form.test(value) ? value : undefined;
}
