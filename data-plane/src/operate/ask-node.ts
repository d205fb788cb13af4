/** Asks any node through its admin interface, for operators' commands. */
import { ByocError } from '../errors/catalogue.js';
import { answeredError } from '../errors/error-answer.js';

/** A node may wait for the key service, and for another node. */
const patienceMs = 60_000;

/** Where the admin interface is, and what it wants to see. */
export interface AdminAccess {
  readonly url: string;
  readonly credential: string;
}

/**
 * What the node answered. Throws the error that it answered with; `NOT_READY` when nobody answers: then it may have been
 * done.
 */
export async function askNode<T>(
  { url, credential }: AdminAccess,
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  content?: object,
): Promise<T> {
  let status: number;
  let body: Buffer;
  try {
    const response = await fetch(new URL(`/admin/v1${path}`, url), {
      method,
      headers: {
        authorization: `Bearer ${credential}`,
        ...(content && { 'content-type': 'application/json' }),
      },
      ...(content && { body: JSON.stringify(content) }),
      signal: AbortSignal.timeout(patienceMs),
    });
    status = response.status;
    body = Buffer.from(await response.arrayBuffer());
  } catch (cause) {
    throw new ByocError('NOT_READY', `the node at ${url} does not answer`, { cause });
  }
  if (status === 200) return JSON.parse(body.toString('utf8')) as T;
  throw answeredError(body) ?? new ByocError('INTERNAL', `the node at ${url} answered with status ${status}`);
}
