/** The id of the call that is being carried out, which travels with the asynchronous work that the call starts. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { givenRequestId } from '@turso-byoc/data-plane/server/request-id.js';

const ids = new AsyncLocalStorage<string>();

/** What whoever sent a call calls it, or a new id. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  return givenRequestId(request.headers) ?? randomUUID();
}

/** Runs work, and all that it starts, as part of a call. */
export function runAsRequest<T>(id: string, work: () => T): T {
  return ids.run(id, work);
}

/** The id of the present call; undefined outside of one. */
export function presentRequestId(): string | undefined {
  return ids.getStore();
}
